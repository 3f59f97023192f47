// SPDX-License-Identifier: Apache-2.0
//
// How well scores order the positive before the negative, for all thresholds at once: ROC curve and its area, the
// precision-recall curve and average precision. Definitions and results are scikit-learn's (roc_curve, roc_auc_score,
// precision_recall_curve, average_precision_score). One sort: O(n log n). Scores are finite, or a numeric error; labels
// are 1 or 0, one a score.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace strata::metrics {

// The area under the ROC curve, which is the chance that a positive outranks a negative, ties counting half (Mann and
// Whitney 1947, by midranks). NaN where one of the classes is absent.
double auroc(std::span<const double> scores, std::span<const std::uint8_t> positive);

// Points with a falling threshold: positive is what scores at least that much. The first threshold is infinite, with
// nothing positive. A point for each distinct score; rates over an absent class are NaN.
struct RocCurve {
  std::vector<double> false_positive_rate, true_positive_rate, thresholds;
};
RocCurve roc_curve(std::span<const double> scores, std::span<const std::uint8_t> positive);

// Points with a rising threshold, as scikit-learn orders them, then (precision 1, recall 0) without a threshold.
// Recall without any positive is 1, as there.
struct PrecisionRecallCurve {
  std::vector<double> precision, recall;  // [t+1]
  std::vector<double> thresholds;         // [t] the distinct scores
};
PrecisionRecallCurve precision_recall_curve(std::span<const double> scores, std::span<const std::uint8_t> positive);

// Σ (R_i − R_{i−1})·P_i over falling thresholds, not interpolated. NaN without any positive, where scikit-learn warns
// and says 0.
double average_precision(std::span<const double> scores, std::span<const std::uint8_t> positive);

// The mean of what is not NaN; NaN if nothing is.
double macro(std::span<const double> values);

}  // namespace strata::metrics
