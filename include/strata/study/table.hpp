// SPDX-License-Identifier: Apache-2.0
//
// Tables as people bring them: rows of text under named columns, each row with its line in the file. Readers of formats
// (io/table) make them; what the columns mean is said by records and selections. A small table is a value in memory; a
// large one is handed on row by row and never held.
//
// Cells of such tables may identify patients. Messages name lines and columns, never what a cell holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::study {

struct Cell {
  enum class Kind : std::uint8_t { absent, text, list, nested };  // nested: an object, or a list of other than texts
  Kind kind = Kind::absent;
  std::string text;               // of a text; numbers as they were written, true and false as words
  std::vector<std::string> list;  // of a list of texts

  bool empty() const { return kind == Kind::absent || (kind == Kind::text && text.empty()); }
};

struct Row {
  std::int64_t line = 0;    // where it begins, from 1
  std::vector<Cell> cells;  // by column; JSON Lines: those beyond its end are absent
};

struct Table {
  std::string name;                  // file, for messages
  std::vector<std::string> columns;  // unique but for empty names, which nothing finds
  std::vector<Row> rows;

  std::optional<std::size_t> find(std::string_view column) const;
  std::size_t at(std::string_view column) const;  // a column that is missing: data error that names the nearest
  const Cell& cell(std::size_t row, std::size_t column) const;
  std::string where(std::size_t row) const;  // "labels.csv:12"
};

// The column that `name` means: the one spelled so, else the only one equal but for case, blanks, '_' and '-'.
std::optional<std::size_t> find_column(const std::vector<std::string>& columns, std::string_view name);

// "[reports.csv] there is no column 'repot': is 'report' meant?" as a data error.
[[noreturn]] void fail_no_column(const std::string& table, const std::vector<std::string>& columns,
                                 std::string_view name);

}  // namespace strata::study
