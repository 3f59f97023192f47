// SPDX-License-Identifier: Apache-2.0
//
// From a step's number to what every rank does in it, and to everything of a micro-batch but its voxels. Pure functions
// of the mixture and the options.
#pragma once

#include <vector>

#include "data/scan_cache.hpp"
#include "strata/data/loader.hpp"

namespace strata::data {

// One scan to be read into row `place` of the batch.
struct ScanRead {
  ScanKey key;
  std::int64_t place = 0;
};

struct UnreadBatch {
  Batch batch;                  // scans undefined
  std::vector<ScanRead> reads;  // [S]
};

class StepPlanner {
 public:
  StepPlanner(Mixture mixture, const LoaderOptions& options);

  const Mixture& mixture() const { return mixture_; }
  std::int64_t steps() const;       // -1: no end
  std::int64_t most_scans() const;  // that a study brings
  StepPlan plan(std::int64_t step) const;
  UnreadBatch batch(const StepPlan& plan, int rank, std::int64_t round) const;

 private:
  void add_study(UnreadBatch& unread, const StepPlan& plan, std::int64_t member) const;
  std::vector<std::string> report(const StepPlan::Study& study) const;

  Mixture mixture_;
  LoaderOptions options_;
};

}  // namespace strata::data
