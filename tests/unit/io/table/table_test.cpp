// SPDX-License-Identifier: Apache-2.0
#include "io/table/table.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "strata/base/error.hpp"

namespace strata::io {
namespace {

using study::Cell;
using study::Table;

Table parse(const std::string& text, const TableLimits& limits = {}) {
  return read_table(std::as_bytes(std::span(text)), "t", limits);
}

using Texts = std::vector<std::vector<std::string>>;

Texts texts(const Table& table) {
  Texts all;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    std::vector<std::string> line;
    for (std::size_t i = 0; i < table.columns.size(); ++i) line.push_back(table.cell(row, i).text);
    all.push_back(line);
  }
  return all;
}

std::string error_of(const std::string& text, const TableLimits& limits = {}) {
  try {
    parse(text, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    return error.what();
  }
  return "no error";
}

void expect_error(const std::string& text, std::string_view where, std::string_view what,
                  const TableLimits& limits = {}) {
  const auto error = error_of(text, limits);
  EXPECT_NE(error.find("'t:" + std::string(where) + "'"), std::string::npos) << error;
  EXPECT_NE(error.find(what), std::string::npos) << error;
}

TEST(Csv, ReadsQuotesLineBreaksAndBlanks) {
  const Table table =
      parse("id,report,label\n1,\"No bleed, no shift.\",0\n 2 , \"He said \"\"no\"\"\nand left\" ,\n\n3,,1");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"id", "report", "label"}));
  EXPECT_EQ(texts(table),
            (Texts{{"1", "No bleed, no shift.", "0"}, {"2", "He said \"no\"\nand left", ""}, {"3", "", "1"}}));
  EXPECT_EQ(table.where(0), "t:2");
  EXPECT_EQ(table.where(1), "t:3");
  EXPECT_EQ(table.where(2), "t:6");
  EXPECT_EQ(table.cell(2, 1).kind, Cell::Kind::absent);
}

TEST(Csv, TakesAnyLineEndAndAByteOrderMark) {
  const Texts expected{{"1", "a"}, {"2", "b"}};
  for (const std::string end : {"\n", "\r\n", "\r"})
    for (const std::string& last : {std::string(), end, end + end})
      for (const std::string mark : {"", "\xef\xbb\xbf"}) {
        const Table table = parse(mark + "x,y" + end + "1,a" + end + "2,b" + last);
        EXPECT_EQ(texts(table), expected);
        EXPECT_EQ(table.columns[0], "x");
        EXPECT_EQ(table.rows[1].line, 3);
      }
}

TEST(Csv, FindsTheSeparator) {
  EXPECT_EQ(texts(parse("a;b\n1,5;2\n")), (Texts{{"1,5", "2"}}));
  EXPECT_EQ(texts(parse("a\tb c\tc\n1\t\t 3 \n")), (Texts{{"1", "", "3"}}));
  EXPECT_EQ(parse("\"a;b;c\",d\n1,2\n").columns, (std::vector<std::string>{"a;b;c", "d"}));
  EXPECT_EQ(texts(parse("only\nx\ny\n")), (Texts{{"x"}, {"y"}}));
}

TEST(Csv, SkipsRowsWithoutAnything) {
  EXPECT_EQ(texts(parse("\n\n a,b \n,\n  \n1,2\n , \n\"\",\"\"\n")), (Texts{{"1", "2"}}));
}

TEST(Csv, ErrorsNameTheirLine) {
  expect_error("a,b\n1,2\n3\n", "3", "has 1 fields, the first row has 2");
  expect_error("a,b\n1,2\n\n3,4,5\n", "4", "has 3 fields");
  expect_error("a,b\n1,\"x\ny\nz\n", "2", "a quote that does not close");
  expect_error("a,b\n1,x\"y\n", "2", "quote inside a field");
  expect_error("a,b\n1,\"x\"y\n", "2", "closing quote");
  expect_error("a,b,a\n1,2,3\n", "1", "column 'a' twice");
  expect_error("a,b\n1,\xff\n", "2", "not UTF-8");
  expect_error("a,b\n1,\xc3", "2", "not UTF-8");
  expect_error("a,b\n1,\xed\xa0\x80\n", "2", "not UTF-8");
  expect_error(std::string("a,b\n1,\0\n", 8), "2", "zero byte");
  expect_error(std::string("\xff\xfe") + "a", "1", "UTF-16");
  EXPECT_NE(error_of("").find("is empty"), std::string::npos);
  EXPECT_NE(error_of(" \n\n").find("is empty"), std::string::npos);
  EXPECT_EQ(parse("a,b\n").rows.size(), 0u);
}

TEST(Csv, ErrorsDoNotShowWhatCellsHold) {
  for (const auto* text : {"a,b\nMiller^Anna,2,3\n", "a,b\n1,Miller^Anna\"\n", "a,b\n1,\"Miller^Anna\n"})
    EXPECT_EQ(error_of(text).find("Miller"), std::string::npos);
  EXPECT_EQ(error_of("{\"a\":1}\n{\"name\":\"Miller\" \"x\"}\n").find("Miller"), std::string::npos);
}

TEST(Csv, KeepsOtherLetters) {
  const std::string report =
      "F\xc3\xbc\xc3\x9f"
      "e \xe2\x82\xac \xf0\x9f\x99\x82";
  EXPECT_EQ(texts(parse("r\n" + report + "\n")), (Texts{{report}}));
}

TEST(Csv, LimitsHoldWhileARowIsRead) {
  const TableLimits limits{.row_bytes = 1000, .columns = 8, .table_bytes = 5000};
  expect_error("a,b\n1,\"" + std::string(2000, 'x') + "\"\n", "2", "longer than 1000", limits);
  std::string open = "a,b\n1,\"";
  for (int i = 0; i < 300; ++i) open += "xxxx\n";
  expect_error(open, "2", "more than 1000 bytes", limits);
  expect_error("a,b,c,d,e,f,g,h,i\n", "1", "more than 8", limits);
  expect_error("a,b,c,d,e,f,g,h\n" + std::string(900, ',') + "\n", "2", "more than 8", limits);
  std::string many = "a\n";
  for (int i = 0; i < 1000; ++i) many += "x\n";
  EXPECT_NE(error_of(many, limits).find("exceeds 5000 bytes"), std::string::npos);
}

TEST(JsonLines, ReadsTextsNumbersAndLists) {
  const Table table = parse(
      "{\"study\": \"1.2\", \"report\": [\"No bleed.\", \"Gr\\u00fc\\u00df\"], \"y\": 1, \"z\": 0.50}\r\n\n"
      " {\"y\": null, \"study\": \"1.3\", \"extra\": true, \"deep\": {\"a\": [1, {}]}, \"report\": []}\n");
  EXPECT_EQ(table.columns, (std::vector<std::string>{"study", "report", "y", "z", "extra", "deep"}));
  EXPECT_EQ(table.cell(0, 1).list, (std::vector<std::string>{"No bleed.", "Gr\xc3\xbc\xc3\x9f"}));
  EXPECT_EQ(table.cell(0, 2).text, "1");
  EXPECT_EQ(table.cell(0, 3).text, "0.50");
  EXPECT_EQ(table.cell(0, 4).kind, Cell::Kind::absent);
  EXPECT_EQ(table.cell(1, 2).kind, Cell::Kind::absent);
  EXPECT_EQ(table.cell(1, 4).text, "true");
  EXPECT_EQ(table.cell(1, 5).kind, Cell::Kind::nested);
  EXPECT_EQ(table.cell(1, 1).kind, Cell::Kind::list);
  EXPECT_EQ(table.where(1), "t:3");
}

TEST(JsonLines, MixedListsAreNested) {
  const Table table = parse("{\"a\": [\"x\", 1], \"b\": [[\"x\"]], \"c\": [null], \"d\": [{\"e\": \"x\"}, \"y\"]}\n");
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(table.cell(0, i).kind, Cell::Kind::nested) << i;
  EXPECT_EQ(table.columns.size(), 4u);
}

TEST(JsonLines, ErrorsNameTheirLine) {
  expect_error("{\"a\": 1}\n{\"a\": 1, \"a\": 2}\n", "2", "key 'a' twice");
  expect_error("{\"a\": 1}\n[1]\n", "2", "is a list, not an object");
  expect_error("{\"a\": 1}\n\n\"x\"\n", "3", "is a text, not an object");
  expect_error("{\"a\": 1}\n{\"a\": \n", "2", "not one JSON object");
  expect_error("{\"a\": 1} {\"a\": 2}\n", "1", "not one JSON object");
  expect_error("{\"a\": \"x\\u0000\"}\n", "1", "zero character");
  expect_error("{\"a\": \"\\ud800\"}\n", "1", "not one JSON object");
  expect_error("{\"a\": " + std::string(1000, '[') + "\n", "1", "64 levels");
  expect_error("{\"a\": 1e999}\n", "1", "not one JSON object");
}

TEST(Tables, AreReadFromFilesRowByRow) {
  const auto path = std::filesystem::path(testing::TempDir()) / "strata_table_rows.csv";
  {
    std::ofstream file(path, std::ios::binary);
    file << "id,text\r\n";
    for (int i = 0; i < 40'000; ++i)
      file << i << ",\"" << std::string(static_cast<std::size_t>(i % 50), 'x') << "\r\n\"\r\n";
  }
  std::int64_t rows = 0;
  bool right = true;
  read_rows(path.string(), [&](const std::vector<std::string>& columns, study::Row row) {
    right = right && columns.size() == 2 && row.cells[0].text == std::to_string(rows) && row.line == 2 + 2 * rows &&
            row.cells[1].text == std::string(static_cast<std::size_t>(rows % 50), 'x') + "\r\n";
    ++rows;
  });
  EXPECT_TRUE(right);
  EXPECT_EQ(rows, 40'000);
  std::filesystem::remove(path);
  EXPECT_THROW(read_table(path.string()), Error);
}

TEST(Tables, FindColumnsInOtherSpellings) {
  const Table table = parse("Study Instance UID,a_b,A-B,\n1,2,3,4\n");
  EXPECT_EQ(table.find("study_instance_uid"), 0u);
  EXPECT_EQ(table.find("a_b"), 1u);
  EXPECT_EQ(table.find("ab"), std::nullopt);  // two could be meant
  EXPECT_EQ(table.find(""), std::nullopt);
  try {
    table.at("StudyInstancUID");
    ADD_FAILURE() << "a missing column was found";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'Study Instance UID' meant"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace strata::io
