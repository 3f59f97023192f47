// SPDX-License-Identifier: Apache-2.0
#include "strata/data/loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "data/pipeline.hpp"
#include "strata/base/error.hpp"

namespace strata::data {
namespace {

constexpr int kMostThreads = 256;
constexpr std::int64_t kUsualBuffers = 4;

void check(const LoaderOptions& options) {
  const auto& o = options;
  STRATA_CHECK(o.batch_studies > 0, usage, "loader", fmt::format("a global batch of {} studies", o.batch_studies));
  STRATA_CHECK(o.max_scans >= 0, usage, "loader", fmt::format("at most {} scans a study", o.max_scans),
               "0 keeps all of them");
  STRATA_CHECK(o.ranks > 0 && o.rank >= 0 && o.rank < o.ranks, usage, "loader",
               fmt::format("rank {} of {}", o.rank, o.ranks));
  STRATA_CHECK(o.threads >= 1 && o.threads <= kMostThreads, usage, "loader",
               fmt::format("{} threads: must be 1 to {}", o.threads, kMostThreads));
  STRATA_CHECK(o.buffer_bytes >= 0 && o.cache_bytes >= 0, usage, "loader",
               fmt::format("{} bytes of buffers and {} of cache: must not be negative", o.buffer_bytes, o.cache_bytes));
  STRATA_CHECK(o.patience_seconds > 0, usage, "loader", fmt::format("a patience of {:g} s", o.patience_seconds));
  STRATA_CHECK(!o.memory.take == !o.memory.give, usage, "loader", "memory that can be taken or given back, not both");
  pack(std::array<std::int64_t, 1>{1}, o.packing);  // judges the rule
}

struct BufferSizes {
  std::int64_t usual = 0, largest = 0, limit = 0;
};

// A micro-batch holds what the budget allows, but never more than a step has; one study may need more than that.
BufferSizes buffer_sizes(const StepPlanner& planner, const LoaderOptions& options) {
  const std::int64_t scan_bytes = planner.mixture().grid().scan_bytes();
  const std::int64_t most = planner.most_scans();
  const std::int64_t budget = std::max<std::int64_t>(1, options.packing.token_budget / options.packing.tokens_a_scan);
  BufferSizes sizes;
  sizes.usual = std::min(budget, most * options.batch_studies) * scan_bytes;
  sizes.largest = std::max(sizes.usual, most * scan_bytes);
  sizes.limit = options.buffer_bytes;
  if (sizes.limit == 0) sizes.limit = std::max(kUsualBuffers * sizes.usual, 2 * sizes.largest);
  STRATA_CHECK(
      sizes.limit >= 2 * sizes.largest, usage, "loader",
      fmt::format("{} bytes of buffers for micro-batches of up to {} bytes: one is read while another is used",
                  sizes.limit, sizes.largest),
      fmt::format("set buffer_bytes to {} or more, or lower max_scans or the token budget", 2 * sizes.largest));
  return sizes;
}

}  // namespace

class Loader::Impl {
 public:
  Impl(std::vector<WeightedSet> sets, LoaderOptions options)
      : options_(judged(std::move(options))),
        sets_(std::move(sets)),
        planner_(Mixture(sets_, options_.seed, options_.order), options_),
        cache_(options_.cache_bytes, planner_.mixture().grid().scan_bytes()) {
    const auto sizes = buffer_sizes(planner_, options_);
    buffers_ = std::make_shared<BufferPool>(options_.memory, sizes.limit, sizes.usual);
  }

  void start() {
    if (pipeline_) return;
    pipeline_ = std::make_unique<Pipeline>(Pipeline::Parts{planner_, options_, *buffers_, cache_, counters_},
                                           position_ / options_.batch_studies);
  }

  std::optional<Batch> next() {
    const auto begin = std::chrono::steady_clock::now();
    start();
    auto batch = pipeline_->next();
    statistics_.seconds_waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (batch) count(*batch);
    return batch;
  }

  LoaderState state() const { return {options_.seed, position_}; }

  void seek(const LoaderState& state) {
    const std::int64_t steps = planner_.steps();
    const std::int64_t step = state.position / options_.batch_studies;
    STRATA_CHECK(
        state.position >= 0 && state.position % options_.batch_studies == 0, usage, "loader",
        fmt::format("position {} is not the beginning of a step of {} studies", state.position, options_.batch_studies),
        "go on with the batch size that the position was reached with, or one that divides it");
    STRATA_CHECK(steps < 0 || step <= steps, usage, "loader",
                 fmt::format("position {} is beyond all {} studies", state.position, planner_.mixture().studies()));
    pipeline_.reset();
    if (state.seed != options_.seed) {
      options_.seed = state.seed;
      planner_ = StepPlanner(Mixture(sets_, options_.seed, options_.order), options_);
    }
    position_ = state.position;
  }

  LoaderStatistics statistics() const {
    LoaderStatistics result = statistics_;
    result.bytes_read = counters_.bytes_read;
    result.cache_hits = counters_.cache_hits;
    result.cache_misses = counters_.cache_misses;
    result.cache_bytes = cache_.bytes();
    result.buffer_bytes = buffers_->held();
    result.peak_buffer_bytes = buffers_->peak();
    result.seconds_reading = 1e-9 * static_cast<double>(counters_.nanoseconds_reading);
    return result;
  }

  const StepPlanner& planner() const { return planner_; }
  const LoaderOptions& options() const { return options_; }

 private:
  static LoaderOptions judged(LoaderOptions options) {
    check(options);
    return options;
  }

  void count(const Batch& batch) {
    ++statistics_.batches;
    statistics_.studies += batch.studies();
    statistics_.scans += batch.study_offsets.back();
    if (batch.last_of_step()) position_ = (batch.step + 1) * options_.batch_studies;
  }

  LoaderOptions options_;
  std::vector<WeightedSet> sets_;
  StepPlanner planner_;
  ScanCache cache_;
  std::shared_ptr<BufferPool> buffers_;
  PipelineCounters counters_;
  LoaderStatistics statistics_;
  std::int64_t position_ = 0;
  std::unique_ptr<Pipeline> pipeline_;  // last: its threads use the rest
};

Loader::Loader(std::vector<WeightedSet> sets, LoaderOptions options)
    : impl_(std::make_unique<Impl>(std::move(sets), std::move(options))) {}
Loader::~Loader() = default;

void Loader::start() { impl_->start(); }
std::optional<Batch> Loader::next() { return impl_->next(); }
LoaderState Loader::state() const { return impl_->state(); }
void Loader::seek(const LoaderState& state) { impl_->seek(state); }
std::int64_t Loader::steps() const { return impl_->planner().steps(); }
StepPlan Loader::plan(std::int64_t step) const { return impl_->planner().plan(step); }
const Mixture& Loader::mixture() const { return impl_->planner().mixture(); }
const LoaderOptions& Loader::options() const { return impl_->options(); }
LoaderStatistics Loader::statistics() const { return impl_->statistics(); }

}  // namespace strata::data
