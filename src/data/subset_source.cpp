// SPDX-License-Identifier: Apache-2.0
#include "strata/data/subset_source.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

namespace strata::data {
namespace {

class SubsetSource final : public StudySource {
 public:
  SubsetSource(std::shared_ptr<const StudySource> source, std::vector<std::int64_t> studies, std::string name)
      : source_(std::move(source)), studies_(std::move(studies)), name_(std::move(name)) {}

  const std::string& name() const override { return name_; }
  std::int64_t studies() const override { return static_cast<std::int64_t>(studies_.size()); }
  const study::StoredGrid& grid() const override { return source_->grid(); }
  const std::vector<std::string>& label_names() const override { return source_->label_names(); }

  std::int64_t scans(std::int64_t study) const override { return source_->scans(behind(study)); }
  std::string_view key(std::int64_t study) const override { return source_->key(behind(study)); }
  std::string_view split(std::int64_t study) const override { return source_->split(behind(study)); }
  std::int64_t fold(std::int64_t study) const override { return source_->fold(behind(study)); }
  std::span<const float> labels(std::int64_t study) const override { return source_->labels(behind(study)); }
  std::vector<std::string> report(std::int64_t study) const override { return source_->report(behind(study)); }

  void read(std::span<const ReadRequest> requests) const override {
    std::vector<ReadRequest> moved(requests.begin(), requests.end());
    for (auto& request : moved) request.study = behind(request.study);
    source_->read(moved);
  }
  bool collective() const override { return source_->collective(); }

 private:
  std::int64_t behind(std::int64_t study) const { return studies_.at(static_cast<std::size_t>(study)); }

  std::shared_ptr<const StudySource> source_;
  std::vector<std::int64_t> studies_;
  std::string name_;
};

template <class Values, class Value>
bool holds(const Values& values, const Value& value) {
  return std::ranges::find(values, value) != values.end();
}

bool chosen(const StudySource& source, std::int64_t study, const StudySelection& selection) {
  if (!selection.splits.empty() && !holds(selection.splits, source.split(study))) return false;
  if (!selection.folds.empty() && !holds(selection.folds, source.fold(study))) return false;
  if (holds(selection.without_folds, source.fold(study))) return false;
  if (source.scans(study) < selection.min_scans) return false;
  return !selection.with_report || !source.report(study).empty();
}

std::string list_of(const std::set<std::string>& names) {
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

// What there is to choose from, for the message of a choice that found nothing.
std::string contents(const StudySource& source) {
  std::set<std::string> splits;
  std::set<std::int64_t> folds;
  std::int64_t reports = 0;
  for (std::int64_t i = 0; i < source.studies(); ++i) {
    if (!source.split(i).empty()) splits.insert(printable(source.split(i)));
    if (source.fold(i) >= 0) folds.insert(source.fold(i));
    if (!source.report(i).empty()) ++reports;
  }
  std::set<std::string> fold_names;
  for (const auto fold : folds) fold_names.insert(std::to_string(fold));
  return fmt::format("it holds {} studies, {} with a report; splits: {}; folds: {}", source.studies(), reports,
                     list_of(splits), list_of(fold_names));
}

void check_splits_exist(const StudySource& source, const StudySelection& selection) {
  for (const auto& split : selection.splits) {
    bool found = false;
    for (std::int64_t i = 0; i < source.studies() && !found; ++i) found = source.split(i) == split;
    STRATA_CHECK(found, data, source.name(), fmt::format("no study is of split {}", printable(split)),
                 contents(source));
  }
}

}  // namespace

std::string StudySelection::str() const {
  std::vector<std::string> parts;
  if (!splits.empty()) parts.push_back(fmt::format("split {}", fmt::join(splits, " or ")));
  if (!folds.empty()) parts.push_back(fmt::format("fold {}", fmt::join(folds, " or ")));
  if (!without_folds.empty()) parts.push_back(fmt::format("without fold {}", fmt::join(without_folds, " and ")));
  if (with_report) parts.push_back("with report");
  if (min_scans > 1) parts.push_back(fmt::format("at least {} scans", min_scans));
  return parts.empty() ? "all" : fmt::format("{}", fmt::join(parts, ", "));
}

std::shared_ptr<const StudySource> select_studies(std::shared_ptr<const StudySource> source,
                                                  const StudySelection& selection) {
  check_splits_exist(*source, selection);
  std::vector<std::int64_t> studies;
  for (std::int64_t i = 0; i < source->studies(); ++i)
    if (chosen(*source, i, selection)) studies.push_back(i);
  STRATA_CHECK(!studies.empty(), data, source->name(), fmt::format("no study is left by \"{}\"", selection.str()),
               contents(*source));
  std::string name = fmt::format("{} ({})", source->name(), selection.str());
  return std::make_shared<SubsetSource>(std::move(source), std::move(studies), std::move(name));
}

}  // namespace strata::data
