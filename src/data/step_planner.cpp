// SPDX-License-Identifier: Apache-2.0
#include "data/step_planner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "strata/base/error.hpp"
#include "strata/data/draws.hpp"

namespace strata::data {

StepPlanner::StepPlanner(Mixture mixture, const LoaderOptions& options)
    : mixture_(std::move(mixture)), options_(options) {}

std::int64_t StepPlanner::steps() const {
  if (mixture_.order() == StudyOrder::shuffled) return -1;
  return (mixture_.studies() + options_.batch_studies - 1) / options_.batch_studies;
}

std::int64_t StepPlanner::most_scans() const {
  std::int64_t most = 0;
  for (std::int64_t set = 0; set < mixture_.set_count(); ++set)
    for (std::int64_t i = 0; i < mixture_.source(set).studies(); ++i)
      most = std::max(most, mixture_.source(set).scans(i));
  return options_.max_scans > 0 ? std::min(most, options_.max_scans) : most;
}

StepPlan StepPlanner::plan(std::int64_t step) const {
  STRATA_CHECK(step >= 0 && (steps() < 0 || step < steps()), usage, "loader",
               fmt::format("there is no step {}{}", step, steps() < 0 ? "" : fmt::format(" of {}", steps())));
  const bool shuffled = mixture_.order() == StudyOrder::shuffled;
  const std::int64_t first = step * options_.batch_studies;
  const std::int64_t last =
      shuffled ? first + options_.batch_studies : std::min(first + options_.batch_studies, mixture_.studies());
  StepPlan plan;
  plan.step = step;
  std::vector<std::int64_t> scans;  // [G]
  for (std::int64_t ordinal = first; ordinal < last; ++ordinal) {
    auto& study = plan.studies.emplace_back();
    study.ordinal = ordinal;
    study.ref = mixture_.at(ordinal);
    const std::int64_t count = mixture_.source(study.ref.set).scans(study.ref.study);
    if (shuffled) {
      study.scans = keep_scans(count, options_.max_scans, mixture_.seed(), ordinal);
    } else {
      study.scans.resize(
          static_cast<std::size_t>(options_.max_scans > 0 ? std::min(count, options_.max_scans) : count));
      std::iota(study.scans.begin(), study.scans.end(), std::int64_t{0});
    }
    scans.push_back(static_cast<std::int64_t>(study.scans.size()));
  }
  plan.micro_batches = pack(scans, options_.packing);
  plan.rounds = deal(plan.micro_batches, options_.ranks);
  return plan;
}

std::vector<std::string> StepPlanner::report(const StepPlan::Study& study) const {
  auto sentences = mixture_.source(study.ref.set).report(study.ref.study);
  if (!options_.shuffle_sentences || mixture_.order() == StudyOrder::sequential) return sentences;
  std::vector<std::string> drawn;
  drawn.reserve(sentences.size());
  for (const auto i : sentence_order(static_cast<std::int64_t>(sentences.size()), mixture_.seed(), study.ordinal))
    drawn.push_back(std::move(sentences[static_cast<std::size_t>(i)]));
  return drawn;
}

void StepPlanner::add_study(UnreadBatch& unread, const StepPlan& plan, std::int64_t member) const {
  Batch& batch = unread.batch;
  const auto& study = plan.studies[static_cast<std::size_t>(member)];
  for (const auto scan : study.scans) {
    unread.reads.push_back({{study.ref.set, study.ref.study, scan}, static_cast<std::int64_t>(unread.reads.size())});
    batch.scan_indexes.push_back(scan);
  }
  batch.study_offsets.push_back(static_cast<std::int64_t>(unread.reads.size()));
  batch.ordinals.push_back(study.ordinal);
  batch.members.push_back(member);
  batch.sets.push_back(study.ref.set);
  batch.keys.emplace_back(mixture_.source(study.ref.set).key(study.ref.study));
  batch.reports.push_back(report(study));
  const std::size_t columns = mixture_.label_names().size();
  batch.labels.resize(batch.labels.size() + columns);
  mixture_.labels(study.ref, std::span(batch.labels).last(columns));
}

UnreadBatch StepPlanner::batch(const StepPlan& plan, int rank, std::int64_t round) const {
  const auto& mine = plan.rounds[static_cast<std::size_t>(rank)];
  UnreadBatch unread;
  Batch& batch = unread.batch;
  batch.step = plan.step;
  batch.round = round;
  batch.rounds = static_cast<std::int64_t>(mine.size());
  batch.micro_batch = mine[static_cast<std::size_t>(round)];
  batch.micro_batches = static_cast<std::int64_t>(plan.micro_batches.size());
  batch.step_studies = static_cast<std::int64_t>(plan.studies.size());
  batch.scale = mixture_.grid().value_scale;
  batch.shift = mixture_.grid().value_shift;
  if (batch.micro_batch >= 0)
    for (const auto member : plan.micro_batches[static_cast<std::size_t>(batch.micro_batch)].members)
      add_study(unread, plan, member);
  return unread;
}

}  // namespace strata::data
