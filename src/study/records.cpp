// SPDX-License-Identifier: Apache-2.0
#include "strata/study/records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::study {
namespace {

constexpr std::array<std::string_view, 4> kStudyUid{"StudyInstanceUID", "StudyUID", "StudyInstanceUID(0020,000D)",
                                                    "study"};
constexpr std::array<std::string_view, 4> kAccession{"AccessionNumber", "accession", "AccessionNo", "acc"};
constexpr std::array<std::string_view, 4> kPatient{"PatientID", "patient", "subject", "MRN"};
constexpr std::array<std::string_view, 3> kReport{"report", "ReportText", "sentences"};
constexpr std::array<std::string_view, 1> kFold{"fold"};
constexpr std::array<std::string_view, 2> kSplit{"split", "partition"};
constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1));
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return result;
}

// Empty: it is no number. NaN: it says that it is not known.
std::optional<float> to_label(std::string_view cell) {
  const std::string text = lower(trimmed(cell));
  for (const std::string_view word : {"", "na", "n/a", "nan", "null", "none"})
    if (text == word) return kUnknown;
  if (text == "true") return 1.f;
  if (text == "false") return 0.f;
  double value = 0;
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, code] = std::from_chars(begin, text.data() + text.size(), value);
  const bool whole = code == std::errc() && end == text.data() + text.size();
  if (!whole || !(std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max()))) return {};
  return static_cast<float>(value);
}

std::optional<std::string> to_split(std::string_view cell) {
  const std::string text = lower(trimmed(cell));
  for (const std::string_view word : {"", "train", "val", "test"})
    if (text == word) return text;
  if (text == "training") return "train";
  if (text == "testing") return "test";
  if (text == "valid" || text == "validation" || text == "validate" || text == "dev") return "val";
  return {};
}

// fold columns hold "3", and "3.0" where a program made the table.
std::optional<std::int64_t> to_fold(std::string_view cell) {
  const auto value = to_label(cell);
  if (!value) return {};
  if (std::isnan(*value)) return -1;
  if (*value < 0 || *value > 1e6f || *value != std::floor(*value)) return {};
  return static_cast<std::int64_t>(*value);
}

bool means(const std::string& column, const std::string& wanted, std::span<const std::string_view> usual) {
  const std::vector<std::string> one{column};
  if (!wanted.empty()) return find_column(one, wanted).has_value();
  return std::ranges::any_of(usual, [&](std::string_view name) { return find_column(one, name).has_value(); });
}

std::optional<std::size_t> place_of(const std::vector<std::string>& names, const std::string& column) {
  const std::vector<std::string> one{column};
  for (std::size_t i = 0; i < names.size(); ++i)
    if (find_column(one, names[i])) return i;
  return {};
}

}  // namespace

Records::Records(std::string table, RecordColumns wanted)
    : table_(std::move(table)),
      wanted_(std::move(wanted)),
      all_labels_(wanted_.labels == std::vector<std::string>{"*"}) {
  if (!all_labels_) label_names_ = wanted_.labels;
}

std::string Records::where(std::size_t record) const { return fmt::format("{}:{}", table_, records_.at(record).line); }

void Records::bad_cell(std::int64_t line, std::size_t column, std::string_view what, std::string_view hint) const {
  fail(ErrorKind::data, "records",
       fmt::format("{} column {} {}", printable(fmt::format("{}:{}", table_, line), 400), printable(columns_[column]),
                   what),
       hint);
}

Records::Column Records::meaning(const std::vector<std::string>& columns, std::size_t column) {
  const std::string& name = columns[column];
  if (name.empty()) return {Role::none, 0};
  const std::array<std::tuple<Role, const std::string*, std::span<const std::string_view>>, 5> single{{
      {Role::study_uid, &wanted_.study_uid, kStudyUid},
      {Role::accession, &wanted_.accession, kAccession},
      {Role::patient, &wanted_.patient, kPatient},
      {Role::fold, &wanted_.fold, kFold},
      {Role::split, &wanted_.split, kSplit},
  }};
  if (!all_labels_)  // what is asked for by name comes before what a name usually means
    if (const auto at = place_of(wanted_.labels, name)) return {Role::label, *at};
  if (const auto at = place_of(wanted_.report, name)) return {Role::report, *at};
  for (const auto& [role, wanted, usual] : single) {
    if (!means(name, *wanted, usual)) continue;
    const bool taken = std::ranges::find(meanings_, role, &Column::role) != meanings_.end();
    if (!taken) return {role, 0};
    if (wanted->empty())
      fail(ErrorKind::data, "records",
           fmt::format("{} has several columns that could mean the same: {} is one", printable(table_, 400),
                       printable(name)),
           "say which one to take");
  }
  if (wanted_.report.empty() && means(name, {}, kReport)) return {Role::report, 0};
  return all_labels_ ? all_labels(name) : Column{Role::none, 0};
}

Records::Column Records::all_labels(const std::string& column) {
  label_names_.push_back(column);
  not_numeric_.push_back(false);
  return {Role::label, label_names_.size() - 1};
}

void Records::decide(const std::vector<std::string>& columns) {
  columns_ = columns;
  for (std::size_t i = meanings_.size(); i < columns.size(); ++i) meanings_.push_back(meaning(columns, i));
}

std::string Records::identifier(const Cell& cell, std::size_t column, std::int64_t line) const {
  if (cell.kind != Cell::Kind::text && cell.kind != Cell::Kind::absent)
    bad_cell(line, column, "holds a list or an object, not one identifier");
  std::string text = trimmed(cell.text);
  if (text.size() > 256) bad_cell(line, column, fmt::format("has {} bytes, too long for an identifier", text.size()));
  return text;
}

void Records::take_label(Record& record, const Cell& cell, std::size_t column) {
  const std::size_t index = meanings_[column].index;
  const auto value = cell.kind == Cell::Kind::absent ? std::optional(kUnknown)
                     : cell.kind == Cell::Kind::text ? to_label(cell.text)
                                                     : std::nullopt;
  if (value) {
    record.labels[index] = *value;
  } else if (all_labels_) {
    not_numeric_[index] = true;
  } else {
    bad_cell(record.line, column, "does not hold a number", "an empty cell stands for a label that is not known");
  }
}

void Records::take(Record& record, std::vector<Cell>& reports, Cell& cell, std::size_t column) {
  switch (meanings_[column].role) {
    case Role::study_uid: record.study_uid = identifier(cell, column, record.line); break;
    case Role::accession: record.accession = identifier(cell, column, record.line); break;
    case Role::patient: record.patient = identifier(cell, column, record.line); break;
    case Role::report:
      if (cell.kind == Cell::Kind::nested) bad_cell(record.line, column, "is neither a text nor a list of texts");
      reports[meanings_[column].index] = std::move(cell);
      break;
    case Role::label: take_label(record, cell, column); break;
    case Role::fold: {
      const auto fold = cell.kind == Cell::Kind::text ? to_fold(cell.text) : -1;
      if (!fold) bad_cell(record.line, column, "does not hold a whole number from 0 on");
      record.fold = *fold;
      break;
    }
    case Role::split: {
      const auto split = to_split(cell.text);
      if (!split) bad_cell(record.line, column, "holds none of train, val, test", "leave it empty to have one drawn");
      record.split = *split;
      break;
    }
    case Role::none:
    case Role::undecided: break;
  }
}

void Records::add(const std::vector<std::string>& columns, Row row) {
  STRATA_CHECK(!finished_, internal, "records", "a row was added behind the last one");
  if (columns.size() != meanings_.size()) decide(columns);
  Record record;
  record.line = row.line;
  record.labels.assign(label_names_.size(), kUnknown);
  std::vector<Cell> reports(std::max<std::size_t>(wanted_.report.size(), 1));
  for (std::size_t i = 0; i < row.cells.size(); ++i) take(record, reports, row.cells[i], i);
  for (Cell& cell : reports) {
    auto lines = cell.kind == Cell::Kind::list ? std::move(cell.list) : sentences(cell.text);
    for (auto& line : lines)
      if (std::string text = trimmed(line); !text.empty()) record.report.push_back(std::move(text));
  }
  if (record.study_uid.empty() && record.accession.empty())
    fail(ErrorKind::data, "records",
         fmt::format("{} names no study", printable(fmt::format("{}:{}", table_, row.line), 400)),
         "each row needs a study UID or an accession number; columns are named StudyInstanceUID or AccessionNumber, or "
         "by options");
  records_.push_back(std::move(record));
}

void Records::drop_ignored_labels() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < label_names_.size(); ++i) (not_numeric_[i] ? ignored_ : names).push_back(label_names_[i]);
  for (Record& record : records_) {
    record.labels.resize(label_names_.size(), kUnknown);  // a key that came later
    std::size_t kept = 0;
    for (std::size_t i = 0; i < label_names_.size(); ++i)
      if (!not_numeric_[i]) record.labels[kept++] = record.labels[i];
    record.labels.resize(kept);
  }
  label_names_ = std::move(names);
}

void Records::finish() {
  if (finished_) return;
  finished_ = true;
  const auto need = [&](const std::string& name, Role role) {
    const bool there = std::ranges::any_of(meanings_, [&](const Column& column) { return column.role == role; });
    if (!name.empty() && !there) fail_no_column(table_, columns_, name);
  };
  need(wanted_.study_uid, Role::study_uid);
  need(wanted_.accession, Role::accession);
  need(wanted_.patient, Role::patient);
  need(wanted_.fold, Role::fold);
  need(wanted_.split, Role::split);
  const auto need_each = [&](const std::vector<std::string>& names, Role role) {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (!std::ranges::any_of(meanings_, [&](const Column& c) { return c.role == role && c.index == i; }))
        fail_no_column(table_, columns_, names[i]);
  };
  need_each(wanted_.report, Role::report);
  if (!all_labels_) need_each(wanted_.labels, Role::label);
  if (all_labels_) drop_ignored_labels();
}

}  // namespace strata::study
