// SPDX-License-Identifier: Apache-2.0
#include "strata/study/records.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "strata/base/error.hpp"

namespace strata::study {
namespace {

using Strings = std::vector<std::string>;
using Indices = std::vector<std::int64_t>;

Row row_of(std::int64_t line, const Strings& texts) {
  Row row{line, {}};
  for (const auto& text : texts) {
    Cell cell;
    if (!text.empty()) {
      cell.kind = Cell::Kind::text;
      cell.text = text;
    }
    row.cells.push_back(cell);
  }
  return row;
}

Records records_of(const Strings& columns, const std::vector<Strings>& rows, RecordColumns wanted = {}) {
  Records records("t.csv", std::move(wanted));
  std::int64_t line = 2;
  for (const auto& row : rows) records.add(columns, row_of(line++, row));
  records.finish();
  return records;
}

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_contains(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (const auto part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << "\n in: " << text;
}

TEST(Records, TakeColumnsByTheirUsualNames) {
  const auto records = records_of({"Study Instance UID", "accession_number", "PatientID", "Report", "FOLD", "Split"},
                                  {{"1.2.3", " A7 ", "P", "No bleed. No shift.", "2.0", "Validation"}});
  ASSERT_EQ(records.all().size(), 1u);
  const Record& record = records.all()[0];
  EXPECT_EQ(record.study_uid, "1.2.3");
  EXPECT_EQ(record.accession, "A7");
  EXPECT_EQ(record.patient, "P");
  EXPECT_EQ(record.report, (Strings{"No bleed.", "No shift."}));
  EXPECT_EQ(record.fold, 2);
  EXPECT_EQ(record.split, "val");
  EXPECT_EQ(records.where(0), "t.csv:2");
}

TEST(Records, TakeLabelsByNameAndReportsOfSeveralColumns) {
  RecordColumns wanted;
  wanted.accession = "order";
  wanted.report = {"Findings", "Impression"};
  wanted.labels = {"ich", "age"};
  const auto records = records_of(
      {"age", "Impression", "order", "ICH", "Findings", "note"},
      {{"61.5", "ICH.", "1", "1", "Dense.", "x"}, {"", "", "2", " NaN ", "A.", ""}, {"-3e2", "", "3", "TRUE", "", ""}},
      wanted);
  EXPECT_EQ(records.label_names(), (Strings{"ich", "age"}));
  EXPECT_EQ(records.all()[0].labels, (std::vector<float>{1.f, 61.5f}));
  EXPECT_EQ(records.all()[0].report, (Strings{"Dense.", "ICH."}));
  EXPECT_TRUE(std::isnan(records.all()[1].labels[0]) && std::isnan(records.all()[1].labels[1]));
  EXPECT_EQ(records.all()[2].labels, (std::vector<float>{1.f, -300.f}));
  EXPECT_TRUE(records.all()[2].report.empty());
}

TEST(Records, TakeEveryNumericColumnAsLabel) {
  RecordColumns wanted;
  wanted.labels = {"*"};
  Records records("t.jsonl", wanted);
  records.add({"study_uid", "a", "text"}, row_of(1, {"1", "0", "12 mm"}));
  records.add({"study_uid", "a", "text", "later"}, row_of(2, {"2", "", "7", "1"}));
  records.finish();
  EXPECT_EQ(records.label_names(), (Strings{"a", "later"}));
  EXPECT_EQ(records.ignored_columns(), (Strings{"text"}));
  EXPECT_EQ(records.all()[0].labels[0], 0.f);
  EXPECT_TRUE(std::isnan(records.all()[0].labels[1]));
  EXPECT_TRUE(std::isnan(records.all()[1].labels[0]));
  EXPECT_EQ(records.all()[1].labels[1], 1.f);
}

TEST(Records, ListsOfSentencesStayAsTheyAre) {
  Records records("t.jsonl", {});
  Row row = row_of(1, {"1"});
  Cell cell;
  cell.kind = Cell::Kind::list;
  cell.list = {" One. Two. ", "", "three"};
  row.cells.push_back(cell);
  records.add({"study", "report"}, row);
  records.finish();
  EXPECT_EQ(records.all()[0].report, (Strings{"One. Two.", "three"}));
}

TEST(Records, ErrorsNameLineAndColumnAndNoContent) {
  RecordColumns wanted;
  wanted.labels = {"y"};
  const auto text = error_of([&] { records_of({"study", "y"}, {{"1", "1"}, {"2", "Miller"}}, wanted); });
  expect_contains(text, {"'t.csv:3'", "'y'", "number"});
  EXPECT_EQ(text.find("Miller"), std::string::npos);
  for (const char* value : {"1e99", "inf", "1,5", "0x1", "1 2"})
    EXPECT_THROW(records_of({"study", "y"}, {{"1", value}}, wanted), Error) << value;
  expect_contains(error_of([] {
                    records_of({"study", "split"}, {{"1", "holdout"}});
                  }),
                  {"'split'", "train, val, test"});
  expect_contains(error_of([] { records_of({"study", "fold"}, {{"1", "-2"}}); }), {"'fold'", "whole number"});
  expect_contains(error_of([] { records_of({"study", "report"}, {{"", "x"}}); }), {"'t.csv:2'", "names no study"});
  expect_contains(error_of([] {
                    records_of({"name", "report"}, {{"a", "x"}});
                  }),
                  {"names no study", "AccessionNumber"});
  expect_contains(error_of([] { records_of({"study", "StudyInstanceUID"}, {{"a", "x"}}); }), {"several columns"});
}

TEST(Records, MissingWantedColumnsNameTheNearest) {
  RecordColumns wanted;
  wanted.labels = {"haemorrhage"};
  expect_contains(error_of([&] {
                    records_of({"study", "hemorrhage"}, {{"1", "1"}}, wanted);
                  }),
                  {"no column 'haemorrhage'", "'hemorrhage' meant"});
  RecordColumns report;
  report.report = {"text"};
  EXPECT_THROW(records_of({"study", "x"}, {{"1", "1"}}, report), Error);
  RecordColumns split;
  split.split = "part";
  EXPECT_THROW(records_of({"study", "x"}, {{"1", "1"}}, split), Error);
}

TEST(Sentences, EndBehindStopsBeforeNewBeginnings) {
  EXPECT_EQ(sentences("No bleed. No shift! Is there more? \"Yes.\" 3 mm. done"),
            (Strings{"No bleed.", "No shift!", "Is there more?", "\"Yes.\"", "3 mm. done"}));
  EXPECT_EQ(sentences("A 3.5 mm focus at C5. Dr. Smith agrees vs. Prior (cf. Fig. 2). T. Jones too."),
            (Strings{"A 3.5 mm focus at C5.", "Dr. Smith agrees vs. Prior (cf. Fig. 2).", "T. Jones too."}));
  EXPECT_EQ(sentences("1. No bleed. 2. No shift."), (Strings{"1. No bleed.", "2. No shift."}));
  EXPECT_EQ(sentences("  \n \r\n"), Strings{});
  EXPECT_EQ(sentences("..."), Strings{});
  EXPECT_EQ(sentences("Keine Blutung. \xc3\x96"
                      "dem links."),
            (Strings{"Keine Blutung.",
                     "\xc3\x96"
                     "dem links."}));
}

TEST(Sentences, LineBreaksEndThemUnlessLinesWereWrapped) {
  EXPECT_EQ(sentences("No bleed\nNo shift\r\n\r\nno fracture\rx"), (Strings{"No bleed", "No shift", "no fracture x"}));
  EXPECT_EQ(sentences("There is a large hyperdense collection along the left convexity of\n"
                      "Hounsfield values typical of blood, with\nmass effect."),
            (Strings{"There is a large hyperdense collection along the left convexity of Hounsfield values typical of "
                     "blood, with mass effect."}));
  EXPECT_EQ(sentences("FINDINGS:\n- No bleed\n- no shift\n* Old infarct\nIMPRESSION:\nNormal."),
            (Strings{"FINDINGS: No bleed", "no shift", "Old infarct", "IMPRESSION: Normal."}));
  EXPECT_EQ(sentences("Conclusion:"), (Strings{"Conclusion:"}));
}

TEST(Sentences, LoseNoWord) {
  const std::string report =
      "CT HEAD: 12 March.\nNo acute bleed. Mild atrophy, e.g. frontal. 2. Old infarct (left)? Yes.\n\n- end";
  const auto letters = [](std::string_view text) {
    std::string kept;
    for (const char c : text)
      if (std::isalnum(static_cast<unsigned char>(c)) != 0) kept += c;
    return kept;
  };
  std::string joined;
  for (const auto& sentence : sentences(report)) joined += sentence;
  EXPECT_EQ(letters(joined), letters(report));
}

TEST(Join, FindsStudiesByUidThenByAccession) {
  const auto records = records_of({"study_uid", "accession", "patient", "report"},
                                  {{"1.1", "", "P1", "a"},       // by UID
                                   {"", "A2", "P2", "b"},        // by accession
                                   {"9.9", "A3", "PX", "c"},     // UID unknown, accession known; another patient
                                   {"9.8", "A9", "", "d"},       // nothing
                                   {"1.1", "", "P1", "a"},       // the same again
                                   {"", "A1", "P1", "other"}});  // the first study again, by accession
  const std::vector<StudyIds> studies{{"1.1", "A1", "P1"}, {"1.2", "A2", "P2"}, {"1.3", "A3", "P3"}, {"1.4", "", "P4"}};
  const Join found = join(records, studies);
  EXPECT_EQ(found.record_of, (Indices{0, 1, 2, -1}));
  EXPECT_EQ(found.joined(), 3);
  EXPECT_EQ(found.studies_without_record, (Indices{3}));
  EXPECT_EQ(found.records_without_study, (Indices{3}));
  EXPECT_EQ(found.studies_of_other_patient, (Indices{2}));
  ASSERT_EQ(found.repeated.size(), 2u);
  EXPECT_EQ(found.repeated[0].record, 4);
  EXPECT_EQ(found.repeated[0].first, 0);
  EXPECT_TRUE(found.repeated[0].same);
  EXPECT_EQ(found.repeated[1].record, 5);
  EXPECT_FALSE(found.repeated[1].same);
  EXPECT_EQ(why_nothing_joined(records, studies, found), "");
}

TEST(Join, AnAccessionOfSeveralPatientsJoinsNothing) {
  const auto records = records_of({"accession", "report"}, {{"A1", "x"}, {"A2", "y"}, {"A3", "z"}});
  const std::vector<StudyIds> studies{{"1", "A1", "P1"}, {"2", "A1", "P2"}, {"3", "A2", "P3"},
                                      {"4", "A2", "P3"}, {"5", "A3", ""},   {"6", "A3", ""}};
  const Join found = join(records, studies);
  EXPECT_EQ(found.record_of, (Indices{-1, -1, 1, 1, -1, -1}));
  EXPECT_EQ(found.ambiguous_records, (Indices{0, 2}));
  EXPECT_TRUE(found.records_without_study.empty());
}

TEST(Join, SaysWhyNothingJoined) {
  const auto records = records_of({"accession", "report"}, {{"A1", "x"}});
  const std::vector<StudyIds> studies{{"1", "", "P1"}, {"2", "B", "P2"}};
  const std::string text = why_nothing_joined(records, studies, join(records, studies));
  expect_contains(text, {"none of the 1 rows of t.csv", "0 rows have a study UID (2 studies have one)",
                         "1 an accession number (1 studies have one)"});
  EXPECT_EQ(text.find("A1"), std::string::npos);
}

SplitStudy study_of(Strings patients, std::string given = {}, std::string where = {}) {
  return {std::move(patients), std::move(given), std::move(where)};
}

TEST(Split, MeetsSharesAndMovesNobody) {
  std::vector<SplitStudy> studies;
  for (int i = 0; i < 20'000; ++i) studies.push_back(study_of({"patient" + std::to_string(i)}));
  const SplitShares shares{.train = 0.7, .val = 0.1, .test = 0.2, .seed = 3};
  const auto splits = split_by_patient(studies, shares);
  std::map<std::string, double> counts;
  for (const auto& split : splits) counts[split] += 1;
  EXPECT_NEAR(counts["train"] / 20'000, 0.7, 0.015);  // 4.6 standard deviations
  EXPECT_NEAR(counts["val"] / 20'000, 0.1, 0.01);
  EXPECT_NEAR(counts["test"] / 20'000, 0.2, 0.013);

  std::reverse(studies.begin(), studies.end());
  studies.resize(5'000);
  const auto fewer = split_by_patient(studies, shares);
  for (std::size_t i = 0; i < fewer.size(); ++i) ASSERT_EQ(fewer[i], splits[splits.size() - 1 - i]);

  SplitShares other = shares;
  other.seed = 4;
  EXPECT_NE(split_by_patient(studies, other), fewer);
}

TEST(Split, IsOneForEachPatientHoweverItIsKnown) {
  std::vector<SplitStudy> studies;
  for (int i = 0; i < 300; ++i) {
    const auto n = std::to_string(i);
    studies.push_back(study_of({"header" + n}));
    studies.push_back(study_of({"header" + n, "table" + n}));
    studies.push_back(study_of({"other" + n, "table" + n}));
  }
  const auto splits = split_by_patient(studies, {});
  for (std::size_t i = 0; i < splits.size(); i += 3) {
    ASSERT_EQ(splits[i], splits[i + 1]);
    ASSERT_EQ(splits[i], splits[i + 2]);
  }
}

TEST(Split, KeepsGivenSplitsForTheWholePatient) {
  const auto splits = split_by_patient(
      std::vector{study_of({"a"}, "test", "t:2"), study_of({"a"}), study_of({"b"}, "val"), study_of({"a"}, "test")},
      {.train = 1, .val = 0, .test = 0, .seed = 0});
  EXPECT_EQ(splits, (Strings{"test", "test", "val", "test"}));
}

TEST(Split, WithoutSharesPatientsHaveTheGivenSplitOrNone) {
  EXPECT_EQ(given_splits(std::vector{study_of({"a"}, "test"), study_of({"b"}), study_of({"a"})}),
            (Strings{"test", "", "test"}));
  EXPECT_THROW(given_splits(std::vector{study_of({"a"}, "test"), study_of({"a"}, "val")}), Error);
}

TEST(Split, RefusesAPatientInTwoSplitsAndListsTheRows) {
  const auto text = error_of([] {
    split_by_patient(std::vector{study_of({"Miller"}, "test", "t:2"), study_of({"Miller", "x"}, "", "t:3"),
                                 study_of({"b"}, "val", "t:4"), study_of({"x"}, "train", "t:5")},
                     {});
  });
  expect_contains(text, {"1 patient stands in more than one split", "t:2 (test), t:5 (train)"});
  EXPECT_EQ(text.find("Miller"), std::string::npos);
  EXPECT_EQ(text.find("t:4"), std::string::npos);
}

TEST(Split, RefusesBadShares) {
  const std::vector one{study_of({"a"})};
  EXPECT_THROW(split_by_patient(one, {.train = 0.5, .val = 0.1, .test = 0.1, .seed = 0}), Error);
  EXPECT_THROW(split_by_patient(one, {.train = 1.5, .val = -0.5, .test = 0, .seed = 0}), Error);
  EXPECT_THROW(split_by_patient(std::vector{study_of({""})}, {}), Error);
  EXPECT_THROW(split_by_patient(std::vector{study_of({"a"}, "holdout")}, {}), Error);
}

}  // namespace
}  // namespace strata::study
