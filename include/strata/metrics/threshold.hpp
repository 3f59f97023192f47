// SPDX-License-Identifier: Apache-2.0
//
// Where a score begins to mean "present". The fixed rule is honest; the others look at the labels of the studies that
// are judged, so what is measured behind them (accuracy, F1) is optimistic, and is comparable only with results that
// were made by the same rule.
#pragma once

#include <cstdint>
#include <span>

namespace strata::metrics {

enum class ThresholdRule : std::uint8_t {
  fixed,       // a given score; 0.5 unless said otherwise
  roc_corner,  // the point of the ROC curve nearest to (0, 1); used by benchmarks of chest CT
  youden,      // the point with the largest sensitivity + specificity (Youden 1950)
};

// Positive is what scores at least the result. Of equally good points the one with the highest threshold. Where one of
// the classes is absent, or for the fixed rule, `fixed`.
double choose_threshold(ThresholdRule rule, double fixed, std::span<const double> scores,
                        std::span<const std::uint8_t> positive);

}  // namespace strata::metrics
