// SPDX-License-Identifier: Apache-2.0
#include "strata/metrics/threshold.hpp"

#include "metrics/ordered.hpp"

namespace strata::metrics {

double choose_threshold(ThresholdRule rule, double fixed, std::span<const double> scores,
                        std::span<const std::uint8_t> positive) {
  if (rule == ThresholdRule::fixed) return fixed;
  const auto steps = falling_steps(scores, positive);
  if (steps.empty() || steps.back().positives == 0 || steps.back().negatives == 0) return fixed;
  const auto cost = [&](const Step& step) {
    const double missed = 1 - static_cast<double>(step.positives) / static_cast<double>(steps.back().positives);
    const double false_rate = static_cast<double>(step.negatives) / static_cast<double>(steps.back().negatives);
    return rule == ThresholdRule::youden ? missed + false_rate : missed * missed + false_rate * false_rate;
  };
  const Step* best = &steps.front();
  for (const Step& step : steps)
    if (cost(step) < cost(*best)) best = &step;
  return best->score;
}

}  // namespace strata::metrics
