// SPDX-License-Identifier: Apache-2.0
//
// Scores from the highest to the lowest, and how many of each class score at least a value.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::metrics {

// A distinct score and how many score at least that.
struct Step {
  double score;
  std::int64_t positives, negatives;
};

// Falling scores; the last step counts everything. Usage error for counts that differ, numeric error for a score that
// is not finite.
std::vector<Step> falling_steps(std::span<const double> scores, std::span<const std::uint8_t> positive);

void check_finite(std::span<const double> scores);

}  // namespace strata::metrics
