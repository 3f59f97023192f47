// SPDX-License-Identifier: Apache-2.0
#include "app/report_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "io/table/lines.hpp"
#include "io/table/table.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

using Visit = std::function<void(std::string_view)>;

constexpr std::size_t kLongest = std::size_t{16} << 20;

void read_lines(const std::string& path, const Visit& visit) {
  io::LineReader reader(io::InputFile("reports", path), kLongest);
  std::string line;
  while (reader.next(line))
    if (line.find_first_not_of(" \t\r\n") != std::string::npos) visit(line);
}

void append(std::string& text, std::string_view part) {
  if (!text.empty() && !part.empty()) text += ' ';
  text += part;
}

void append(std::string& text, const study::Cell& cell, const std::string& where) {
  STRATA_CHECK(cell.kind != study::Cell::Kind::nested, data, "reports",
               fmt::format("{}: the cell is neither a text nor a list of texts", where));
  append(text, cell.text);
  for (const auto& part : cell.list) append(text, part);
}

// JSON Lines may lack a column in some rows; one that no row has is missing.
void read_table(const std::string& path, const std::vector<std::string>& wanted, const Visit& visit) {
  const auto visit_row = [&](const std::vector<std::string>& columns, const study::Row& row) {
    std::string text;
    for (const auto& name : wanted)
      if (const auto at = study::find_column(columns, name); at && *at < row.cells.size())
        append(text, row.cells[*at], fmt::format("{}:{}", io::printable(path, 400), row.line));
    if (!text.empty()) visit(text);
  };
  const auto columns = io::read_rows(path, visit_row);
  for (const auto& name : wanted)
    if (!study::find_column(columns, name)) study::fail_no_column(path, columns, name);
}

}  // namespace

void read_reports(const std::string& path, const std::vector<std::string>& columns, const Visit& visit) {
  if (path.ends_with(".txt")) return read_lines(path, visit);
  const std::vector<std::string_view> endings{".csv", ".tsv", ".jsonl", ".ndjson"};
  STRATA_CHECK(std::ranges::any_of(endings, [&](std::string_view ending) { return path.ends_with(ending); }), usage,
               "reports", fmt::format("cannot tell from {} how to read it", io::printable(path, 400)),
               fmt::format("end it in .txt (a report a line), {}", fmt::join(endings, ", ")));
  read_table(path, columns, visit);
}

}  // namespace strata::app
