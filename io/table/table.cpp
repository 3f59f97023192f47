// SPDX-License-Identifier: Apache-2.0
#include "io/table/table.hpp"

#include <fmt/format.h>

#include "io/table/formats.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::io {
namespace {

constexpr const char* kSubject = "table";

std::vector<std::string> read(InputFile file, const RowVisitor& visit, const TableLimits& limits) {
  const std::string name = file.path();
  LineReader lines(std::move(file), limits.row_bytes);
  std::string line;
  while (lines.next(line)) {
    const auto at = line.find_first_not_of(" \t\r\n");
    if (at == std::string::npos) continue;
    return line[at] == '{' ? read_json_lines(lines, std::move(line), visit, limits)
                           : read_csv(lines, std::move(line), visit, limits);
  }
  fail(ErrorKind::data, kSubject, fmt::format("{} is empty", printable(name, 400)),
       "a table has a row of column names (CSV), or an object a line (JSON Lines)");
}

study::Table collect(InputFile file, const TableLimits& limits) {
  study::Table table{.name = file.path(), .columns = {}, .rows = {}};
  std::size_t bytes = 0;
  const auto keep = [&](const std::vector<std::string>& columns, study::Row row) {
    bytes += sizeof row + columns.size() * sizeof(study::Cell);
    for (const auto& cell : row.cells) {
      bytes += cell.text.size();
      for (const auto& text : cell.list) bytes += sizeof text + text.size();
    }
    STRATA_CHECK(bytes <= limits.table_bytes, data, kSubject,
                 fmt::format("{}:{} is where the table exceeds {} bytes", printable(table.name, 400), row.line,
                             limits.table_bytes));
    table.rows.push_back(std::move(row));
  };
  table.columns = read(std::move(file), keep, limits);
  return table;
}

}  // namespace

std::vector<std::string> read_rows(const std::string& path, const RowVisitor& visit, const TableLimits& limits) {
  return read(InputFile(kSubject, path), visit, limits);
}

std::vector<std::string> read_rows(std::span<const std::byte> bytes, const std::string& name, const RowVisitor& visit,
                                   const TableLimits& limits) {
  return read(InputFile(kSubject, name, bytes), visit, limits);
}

study::Table read_table(const std::string& path, const TableLimits& limits) {
  return collect(InputFile(kSubject, path), limits);
}

study::Table read_table(std::span<const std::byte> bytes, const std::string& name, const TableLimits& limits) {
  return collect(InputFile(kSubject, name, bytes), limits);
}

}  // namespace strata::io
