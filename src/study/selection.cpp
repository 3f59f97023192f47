// SPDX-License-Identifier: Apache-2.0
#include "strata/study/selection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::study {
namespace {

// Small letters without blanks.
std::string folded(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') result += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return result;
}

// Values of a kernel, each between backslashes' places: both spellings become "hr40s\3".
std::string folded_kernel(std::string_view text) {
  std::string result = folded(text);
  if (result.size() >= 2 && result.front() == '[' && result.back() == ']') {
    result = result.substr(1, result.size() - 2);
    std::erase_if(result, [](char c) { return c == '\'' || c == '"'; });
    std::ranges::replace(result, ',', '\\');
  }
  while (result.ends_with('\\')) result.pop_back();
  return result;
}

std::optional<double> to_kvp(std::string_view text) {
  const std::string digits = folded(text);
  double value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code != std::errc() || end != digits.data() + digits.size() || !(value > 0 && value < 1e4)) return {};
  return value;
}

}  // namespace

SeriesTable::SeriesTable(const Table& table) {
  const auto description = table.find("Study Description"), kvp = table.find("kVp"),
             kernel = table.find("Convolution Kernel");
  if (!description && !kvp && !kernel) fail_no_column(table.name, table.columns, "Study Description");
  STRATA_CHECK(!table.rows.empty(), data, "selection", fmt::format("{} has no rows", printable(table.name, 400)),
               "such a table would leave out every scan");
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const auto text = [&](std::optional<std::size_t> column) -> std::string {
      return column ? table.cell(row, *column).text : std::string();
    };
    Condition condition{{}, folded_kernel(text(kernel))};
    if (const std::string value = text(kvp); !value.empty()) {
      condition.kvp = to_kvp(value);
      STRATA_CHECK(condition.kvp, data, "selection",
                   fmt::format("{}: the kVp {} is no number", printable(table.where(row), 400), printable(value)));
    }
    const std::string key = folded(text(description));
    (key.empty() ? any_description_ : by_description_[key]).push_back(std::move(condition));
    ++rows_;
  }
}

bool SeriesTable::fulfils(const Conditions& conditions, const ScanTags& tags, const std::string& kernel) {
  return std::ranges::any_of(conditions, [&](const Condition& condition) {
    return (!condition.kvp || *condition.kvp == tags.kvp) && (condition.kernel.empty() || condition.kernel == kernel);
  });
}

bool SeriesTable::contains(const ScanTags& tags) const {
  const std::string kernel = folded_kernel(tags.convolution_kernel);
  if (fulfils(any_description_, tags, kernel)) return true;
  const auto at = by_description_.find(folded(tags.study_description));
  return at != by_description_.end() && fulfils(at->second, tags, kernel);
}

std::string_view name_of(Unwanted reason) {
  switch (reason) {
    case Unwanted::no: return "wanted";
    case Unwanted::modality: return "unwanted_modality";
    case Unwanted::too_few_slices: return "too_few_slices";
    case Unwanted::not_in_series_table: return "not_in_series_table";
  }
  return "unknown";
}

Unwanted judge(const Selection& selection, const ScanTags& tags, std::int64_t slices) {
  const auto same = [&](const std::string& modality) { return folded(modality) == folded(tags.modality); };
  if (!selection.modalities.empty() && std::ranges::none_of(selection.modalities, same)) return Unwanted::modality;
  if (slices < selection.least_slices) return Unwanted::too_few_slices;
  if (selection.series && !selection.series->contains(tags)) return Unwanted::not_in_series_table;
  return Unwanted::no;
}

}  // namespace strata::study
