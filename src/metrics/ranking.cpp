// SPDX-License-Identifier: Apache-2.0
#include "strata/metrics/ranking.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "metrics/ordered.hpp"
#include "strata/base/error.hpp"

namespace strata::metrics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? kNaN : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void check_finite(std::span<const double> scores) {
  for (std::size_t i = 0; i < scores.size(); ++i)
    STRATA_CHECK(std::isfinite(scores[i]), numeric, "metrics", fmt::format("score {} is {}", i, scores[i]),
                 "the model's embeddings are NaN or infinite, or have no length");
}

std::vector<Step> falling_steps(std::span<const double> scores, std::span<const std::uint8_t> positive) {
  STRATA_CHECK(scores.size() == positive.size(), usage, "metrics",
               fmt::format("{} scores and {} labels", scores.size(), positive.size()));
  check_finite(scores);
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<Step> steps;
  std::int64_t positives = 0, negatives = 0;
  for (const std::size_t i : order) {
    ++(positive[i] != 0 ? positives : negatives);
    if (steps.empty() || steps.back().score != scores[i]) steps.push_back({scores[i], 0, 0});
    steps.back() = {scores[i], positives, negatives};
  }
  return steps;
}

double auroc(std::span<const double> scores, std::span<const std::uint8_t> positive) {
  const std::vector<Step> steps = falling_steps(scores, positive);
  if (steps.empty() || steps.back().positives == 0 || steps.back().negatives == 0) return kNaN;
  std::int64_t twice = 0;  // of the pairs in which the positive is higher, ties counting half
  Step before{0, 0, 0};
  for (const Step& step : steps) {
    twice += (step.negatives - before.negatives) * (before.positives + step.positives);
    before = step;
  }
  return static_cast<double>(twice) /
         (2 * static_cast<double>(steps.back().positives) * static_cast<double>(steps.back().negatives));
}

RocCurve roc_curve(std::span<const double> scores, std::span<const std::uint8_t> positive) {
  const std::vector<Step> steps = falling_steps(scores, positive);
  const Step all = steps.empty() ? Step{0, 0, 0} : steps.back();
  RocCurve curve{{ratio(0, all.negatives)}, {ratio(0, all.positives)}, {std::numeric_limits<double>::infinity()}};
  for (const Step& step : steps) {
    curve.false_positive_rate.push_back(ratio(step.negatives, all.negatives));
    curve.true_positive_rate.push_back(ratio(step.positives, all.positives));
    curve.thresholds.push_back(step.score);
  }
  return curve;
}

PrecisionRecallCurve precision_recall_curve(std::span<const double> scores, std::span<const std::uint8_t> positive) {
  const std::vector<Step> steps = falling_steps(scores, positive);
  PrecisionRecallCurve curve;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const std::int64_t all = steps.back().positives;
    curve.precision.push_back(ratio(step->positives, step->positives + step->negatives));
    curve.recall.push_back(all == 0 ? 1 : ratio(step->positives, all));
    curve.thresholds.push_back(step->score);
  }
  curve.precision.push_back(1);
  curve.recall.push_back(0);
  return curve;
}

double average_precision(std::span<const double> scores, std::span<const std::uint8_t> positive) {
  const std::vector<Step> steps = falling_steps(scores, positive);
  if (steps.empty() || steps.back().positives == 0) return kNaN;
  double sum = 0;
  std::int64_t before = 0;
  for (const Step& step : steps) {
    sum += static_cast<double>(step.positives - before) * ratio(step.positives, step.positives + step.negatives);
    before = step.positives;
  }
  return sum / static_cast<double>(steps.back().positives);
}

double macro(std::span<const double> values) {
  double sum = 0;
  std::int64_t known = 0;
  for (const double value : values)
    if (!std::isnan(value)) sum += value, ++known;
  return known == 0 ? kNaN : sum / static_cast<double>(known);
}

}  // namespace strata::metrics
