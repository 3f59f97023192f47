// SPDX-License-Identifier: Apache-2.0
#include "strata/study/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::study {
namespace {

std::string folded(std::string_view name) {
  std::string result;
  for (const char c : name)
    if (c != ' ' && c != '_' && c != '-') result += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return result;
}

}  // namespace

std::optional<std::size_t> find_column(const std::vector<std::string>& columns, std::string_view name) {
  if (name.empty()) return {};
  const auto exact = std::ranges::find(columns, name);
  if (exact != columns.end()) return static_cast<std::size_t>(exact - columns.begin());
  const std::string wanted = folded(name);
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (wanted.empty() || folded(columns[i]) != wanted) continue;
    if (found) return {};
    found = i;
  }
  return found;
}

void fail_no_column(const std::string& table, const std::vector<std::string>& columns, std::string_view name) {
  std::vector<std::string_view> candidates;
  for (const auto& column : columns)
    if (!column.empty() && column.size() < 64) candidates.emplace_back(column);
  const auto near = name.size() < 64 ? nearest_name(name, candidates) : std::string_view();
  std::string known;
  for (std::size_t i = 0; i < std::min<std::size_t>(candidates.size(), 20); ++i)
    known += (i > 0 ? ", " : "") + printable(candidates[i]);
  fail(ErrorKind::data, "table", fmt::format("{} has no column {}", printable(table, 400), printable(name)),
       near.empty() ? fmt::format("it has {}", known) : fmt::format("is {} meant?", printable(near)));
}

std::optional<std::size_t> Table::find(std::string_view column) const { return find_column(columns, column); }

std::size_t Table::at(std::string_view column) const {
  const auto found = find(column);
  if (!found) fail_no_column(name, columns, column);
  return *found;
}

const Cell& Table::cell(std::size_t row, std::size_t column) const {
  static const Cell kAbsent;
  const auto& cells = rows.at(row).cells;
  return column < cells.size() ? cells[column] : kAbsent;
}

std::string Table::where(std::size_t row) const { return fmt::format("{}:{}", name, rows.at(row).line); }

}  // namespace strata::study
