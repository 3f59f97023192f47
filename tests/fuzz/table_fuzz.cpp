// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/table/table.hpp"
#include "strata/study/records.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/promise.hpp"
#include "tests/fuzz/seeds.hpp"

namespace strata::fuzz {
namespace {

using study::Cell;
using study::Table;

constexpr io::TableLimits kLimits{.row_bytes = 1 << 14, .columns = 256, .table_bytes = 1 << 24};

void check_table(const Table& table, std::size_t file_bytes) {
  std::size_t bytes = 0;
  std::int64_t line = 0;
  promise(table.columns.size() <= kLimits.columns && table.rows.size() <= file_bytes,
          "more rows or columns than bytes");
  for (const auto& row : table.rows) {
    promise(row.line > line, "lines out of order");
    line = row.line;
    promise(row.cells.size() <= table.columns.size(), "more cells than columns");
    for (const auto& cell : row.cells) {
      bytes += cell.text.size();
      for (const auto& text : cell.list) bytes += text.size();
    }
  }
  promise(bytes <= 4 * file_bytes, "more text than the file holds");  // true and false grow
}

bool same(const Cell& a, const Cell& b) {
  return (a.empty() && b.empty()) || (a.kind == b.kind && a.text == b.text && a.list == b.list);
}

void check_same(const Table& a, const Table& b) {
  promise(a.columns == b.columns && a.rows.size() == b.rows.size(), "writing and reading changed the table's size");
  for (std::size_t row = 0; row < a.rows.size(); ++row)
    for (std::size_t column = 0; column < a.columns.size(); ++column)
      promise(same(a.cell(row, column), b.cell(row, column)), "writing and reading changed a cell");
}

std::string quoted(const std::string& field) {
  std::string text = "\"";
  for (const char c : field) text += c == '"' ? std::string("\"\"") : std::string(1, c);
  return text + '"';
}

std::string as_csv(const Table& table) {
  std::string text;
  const auto join = [&](auto&& field) {
    for (std::size_t column = 0; column < table.columns.size(); ++column)
      text += (column == 0 ? "" : ",") + quoted(field(column));
    text += '\n';
  };
  join([&](std::size_t column) { return table.columns[column]; });
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    join([&](std::size_t column) { return table.cell(row, column).text; });
  return text;
}

nlohmann::json as_json(const Cell& cell) {
  switch (cell.kind) {
    case Cell::Kind::text: return cell.text;
    case Cell::Kind::list: return cell.list;
    case Cell::Kind::nested: return {{"nested", 1}};
    default: return nullptr;
  }
}

std::string as_json_lines(const Table& table) {
  std::string text;
  for (const auto& row : table.rows) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (std::size_t column = 0; column < row.cells.size(); ++column)
      object[table.columns[column]] = as_json(row.cells[column]);
    text += object.dump() + '\n';
  }
  return text;
}

Table read(std::string_view text) { return io::read_table(std::as_bytes(std::span(text)), "fuzz", io::TableLimits{}); }

// What ingest does with it: columns find their meaning, reports become sentences, rows find studies.
void join_records(const Table& table) {
  accepts([&] {
    study::RecordColumns columns;
    columns.labels = {"*"};
    study::Records records(table.name, columns);
    for (const auto& row : table.rows) records.add(table.columns, row);
    records.finish();
    promise(records.all().size() <= table.rows.size(), "more records than rows");
    for (const auto& record : records.all())
      promise(record.labels.size() == records.label_names().size(), "a label too many or too few");
    const std::vector<study::StudyIds> studies{{"1.2.3", "A1", "P1"}, {"1.2.4", "A2", "P2"}, {"1.2.5", "A2", "P1"}};
    const auto joined = study::join(records, studies);
    promise(joined.record_of.size() == studies.size() && joined.joined() <= 3, "a join of other studies");
  });
}

}  // namespace

bool fuzz_csv(std::span<const std::byte> bytes) {
  return accepts([&] {
    const Table table = io::read_table(bytes, "fuzz", kLimits);
    check_table(table, bytes.size());
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const auto first = text.find_first_not_of(" \t\r\n\xef\xbb\xbf");
    if (first == std::string_view::npos || text[first] != '{') check_same(table, read(as_csv(table)));
    join_records(table);
  });
}

bool fuzz_json_lines(std::span<const std::byte> bytes) {
  std::string text = "{}\n";
  text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return accepts([&] {
    const Table table = io::read_table(std::as_bytes(std::span(text)), "fuzz", kLimits);
    check_table(table, text.size());
    check_same(table, read(as_json_lines(table)));
    join_records(table);
  });
}

std::vector<Seed> csv_seeds() {
  return {{"labels", "StudyInstanceUID,AccessionNumber,ich,fracture,fold\n1.2.3,A1,1,0,2\n1.2.4,A2,0,,1\n"},
          {"reports", "accession;report;split\r\nA1;\"No bleed. \"\"Old\"\" infarct,\r\nleft.\";train\r\nA2;;val\r\n"},
          {"tabs",
           "\xef\xbb\xbfstudy uid\tpatient\tfindings\timpression\n1.2.3\tP1\tNormal.\tNone\n\n1.2.5\tP\xc3\xa4\t\tx\n"},
          {"one_column", "accession\nA1\nA2\n\"\"\n"}};
}

std::vector<Seed> json_lines_seeds() {
  return {{"labels", R"({"study_uid": "1.2.3", "ich": 1, "fracture": false, "fold": 3})"
                     "\n"
                     R"({"study_uid": "1.2.4", "ich": null, "midline shift": 2.5e-1})"
                     "\n"},
          {"reports", R"({"accession": "A1", "report": ["No bleed.", "Old \u00e4infarct."], "split": "test"})"
                      "\r\n\r\n"
                      R"({"accession": "A2", "report": "Normal.\nNone", "extra": {"a": [1, [2]]}})"}};
}

}  // namespace strata::fuzz
