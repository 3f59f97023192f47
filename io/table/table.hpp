// SPDX-License-Identifier: Apache-2.0
//
// CSV (RFC 4180; libcsv) and JSON Lines (one object a line) as tables. Files are read in pieces: memory is that of the
// longest row, not of the file. Text is UTF-8, a byte order mark is skipped.
//
// CSV: the first row names the columns; the separator is that of comma, semicolon and tab which stands most often in
// it; quoted fields may hold separators, doubled quotes and line breaks; blank lines are skipped. Blanks around fields
// go. JSON Lines: keys are columns, in the order in which they first appear; null is an absent cell.
//
// Data errors, all with file and line: a row of another length than the first, a quote that does not close or stands
// inside a field, a column or key twice, text that is not UTF-8, a value that is no JSON, more than the limits.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "strata/study/table.hpp"

namespace strata::io {

struct TableLimits {
  std::size_t row_bytes = std::size_t{16} << 20;
  std::size_t columns = 10'000;
  std::size_t table_bytes = std::size_t{1} << 30;  // of read_table alone
};

// Called for each row in the order of the file. The columns of a CSV are the same each time, those of JSON Lines grow.
using RowVisitor = std::function<void(const std::vector<std::string>& columns, study::Row row)>;

// JSON Lines where the first character that is not blank is '{', CSV else. Returns all columns.
std::vector<std::string> read_rows(const std::string& path, const RowVisitor& visit, const TableLimits& limits = {});
std::vector<std::string> read_rows(std::span<const std::byte> bytes, const std::string& name, const RowVisitor& visit,
                                   const TableLimits& limits = {});

// The whole table in memory: for small ones.
study::Table read_table(const std::string& path, const TableLimits& limits = {});
study::Table read_table(std::span<const std::byte> bytes, const std::string& name, const TableLimits& limits = {});

}  // namespace strata::io
