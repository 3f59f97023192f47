// SPDX-License-Identifier: Apache-2.0
//
// Confidence intervals by the percentile bootstrap (Efron and Tibshirani 1993, chapter 13): n studies are drawn from n
// with replacement, 2000 times; of the values that a statistic takes, the 2.5th and 97.5th percentiles (linear between
// neighbours, as numpy's). Several statistics look at the same draws, so that the interval of a mean over classes keeps
// what the classes have in common.
//
// A statistic gets how often each study was drawn, and says NaN where it has no value (a draw without positives has no
// AUROC): such draws do not count for it. Draws are functions of the seed. Costs resamples · (n + the statistic).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace strata::metrics {

struct BootstrapOptions {
  std::int64_t resamples = 2000;
  double level = 0.95;
  std::uint64_t seed = 0;
};

struct Interval {
  double low, high;        // NaN where no draw had a value
  std::int64_t resamples;  // that had one
};

using WeightedStatistics = std::function<void(std::span<const std::uint32_t> times, std::span<double> values)>;

// `values` has `statistics` elements, one interval each. Resamples below 1, a level outside (0, 1) or no studies: usage
// error.
std::vector<Interval> bootstrap(std::int64_t studies, std::int64_t statistics, const WeightedStatistics& statistic,
                                const BootstrapOptions& options = {});

// AUROC of a column, sorted once, for many draws: O(n) each.
class ResampledAuroc {
 public:
  // Truths are 1, 0 or −1: not known, left out. Scores are finite, or a numeric error.
  ResampledAuroc(std::span<const double> scores, std::span<const std::int8_t> truths);

  double operator()(std::span<const std::uint32_t> times) const;

 private:
  struct Place {
    std::uint32_t study;
    bool positive, last_of_tie;
  };
  std::vector<Place> order_;
};

}  // namespace strata::metrics
