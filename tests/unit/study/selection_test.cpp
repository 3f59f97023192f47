// SPDX-License-Identifier: Apache-2.0
#include "strata/study/selection.hpp"

#include <gtest/gtest.h>

#include "strata/base/error.hpp"

namespace strata::study {
namespace {

Table table_of(std::vector<std::string> columns, const std::vector<std::vector<std::string>>& rows) {
  Table table{.name = "s.csv", .columns = std::move(columns), .rows = {}};
  for (const auto& texts : rows) {
    Row row{static_cast<std::int64_t>(table.rows.size()) + 2, {}};
    for (const auto& text : texts) {
      Cell cell;
      cell.kind = text.empty() ? Cell::Kind::absent : Cell::Kind::text;
      cell.text = text;
      row.cells.push_back(cell);
    }
    table.rows.push_back(row);
  }
  return table;
}

ScanTags tags_of(std::string description, double kvp, std::string kernel, std::string modality = "CT") {
  ScanTags tags;
  tags.study_description = std::move(description);
  tags.kvp = kvp;
  tags.convolution_kernel = std::move(kernel);
  tags.modality = std::move(modality);
  return tags;
}

const std::vector<std::string> kPublished{"Study Description", "KVP", "Convolution Kernel"};

TEST(SeriesTable, MatchesWhateverCaseBlanksAndSpelling) {
  const SeriesTable wanted(table_of(kPublished, {{"CT HEAD WITHOUT IV CONTRAST", "120.0", "['Hr40s', '3']"},
                                                 {"Head^ROUTINE (Adult)", "80.0", "Hr40f"},
                                                 {"CT HEAD WITHOUT IV CONTRAST", "120.0", "['Hr40s', '3']"}}));
  EXPECT_EQ(wanted.size(), 3u);
  EXPECT_TRUE(wanted.contains(tags_of("CT HEAD WITHOUT IV CONTRAST", 120, "Hr40s\\3")));
  EXPECT_TRUE(wanted.contains(tags_of(" ct head  without iv contrast ", 120, "hr40s \\ 3 ")));
  EXPECT_TRUE(wanted.contains(tags_of("head^routine(adult)", 80, "HR40F")));
  EXPECT_FALSE(wanted.contains(tags_of("CT HEAD WITHOUT IV CONTRAST", 120, "Hr40s")));
  EXPECT_FALSE(wanted.contains(tags_of("CT HEAD WITHOUT IV CONTRAST", 120, "Hr40s\\1")));
  EXPECT_FALSE(wanted.contains(tags_of("CT HEAD WITHOUT IV CONTRAST", 80, "Hr40s\\3")));
  EXPECT_FALSE(wanted.contains(tags_of("CT HEAD", 120, "Hr40s\\3")));
  EXPECT_FALSE(wanted.contains(tags_of("head^routine(adult)", 80, "Hr40f\\1")));
}

TEST(SeriesTable, AbsentTagsFulfilNoConditionAndEmptyCellsSetNone) {
  const SeriesTable wanted(table_of(kPublished, {{"CT HEAD", "120", ""}, {"", "", "Hc40s"}}));
  EXPECT_TRUE(wanted.contains(tags_of("CT HEAD", 120, "")));
  EXPECT_TRUE(wanted.contains(tags_of("CT HEAD", 120, "anything")));
  EXPECT_FALSE(wanted.contains(tags_of("CT HEAD", 0, "anything")));
  EXPECT_FALSE(wanted.contains(tags_of("", 120, "")));
  EXPECT_TRUE(wanted.contains(tags_of("", 0, "Hc40s")));
  EXPECT_FALSE(wanted.contains({}));
}

TEST(SeriesTable, NeedsOneOfItsColumnsAndRows) {
  const SeriesTable kernels(table_of({"convolution_kernel"}, {{"Hc40s"}}));
  EXPECT_TRUE(kernels.contains(tags_of("any", 1, "Hc40s")));
  EXPECT_THROW(SeriesTable(table_of({"description"}, {{"x"}})), Error);
  EXPECT_THROW(SeriesTable(table_of(kPublished, {})), Error);
  EXPECT_THROW(SeriesTable(table_of(kPublished, {{"x", "12 kV", "y"}})), Error);
}

TEST(Selection, JudgesInTheOrderOfTheReasons) {
  Selection selection;
  EXPECT_EQ(judge(selection, {}, 1), Unwanted::no);
  selection.modalities = {"ct", "MR"};
  selection.least_slices = 10;
  selection.series = SeriesTable(table_of(kPublished, {{"CT HEAD", "", ""}}));
  EXPECT_EQ(judge(selection, tags_of("x", 0, "", "PT"), 1), Unwanted::modality);
  EXPECT_EQ(judge(selection, tags_of("x", 0, ""), 9), Unwanted::too_few_slices);
  EXPECT_EQ(judge(selection, tags_of("x", 0, ""), 10), Unwanted::not_in_series_table);
  EXPECT_EQ(judge(selection, tags_of("ct head", 0, ""), 10), Unwanted::no);
  EXPECT_EQ(name_of(Unwanted::not_in_series_table), "not_in_series_table");
}

}  // namespace
}  // namespace strata::study
