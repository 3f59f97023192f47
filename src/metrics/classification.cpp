// SPDX-License-Identifier: Apache-2.0
#include "strata/metrics/classification.hpp"

#include <fmt/format.h>

#include <limits>
#include <numeric>

#include "strata/base/error.hpp"

namespace strata::metrics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(std::int64_t classes) : classes_(classes) {
  STRATA_CHECK(classes >= 1 && classes <= 4096, usage, "metrics", fmt::format("a matrix of {} classes", classes));
  counts_.resize(static_cast<std::size_t>(classes * classes));
}

ConfusionMatrix::ConfusionMatrix(std::int64_t classes, std::span<const std::int32_t> truths,
                                 std::span<const std::int32_t> predictions)
    : ConfusionMatrix(classes) {
  STRATA_CHECK(truths.size() == predictions.size(), usage, "metrics",
               fmt::format("{} truths and {} predictions", truths.size(), predictions.size()));
  for (std::size_t i = 0; i < truths.size(); ++i) add(truths[i], predictions[i]);
}

void ConfusionMatrix::add(std::int32_t truth, std::int32_t prediction, std::int64_t times) {
  const auto known = [this](std::int32_t one) { return one >= 0 && one < classes_; };
  STRATA_CHECK(known(truth) && known(prediction), usage, "metrics",
               fmt::format("class {} judged as {}, of {} classes", truth, prediction, classes_));
  counts_[static_cast<std::size_t>(truth * classes_ + prediction)] += times;
}

std::int64_t ConfusionMatrix::count(std::int64_t truth, std::int64_t prediction) const {
  return counts_.at(static_cast<std::size_t>(truth * classes_ + prediction));
}

std::int64_t ConfusionMatrix::all() const { return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}); }

std::int64_t ConfusionMatrix::truths(std::int64_t of) const {
  std::int64_t sum = 0;
  for (std::int64_t other = 0; other < classes_; ++other) sum += count(of, other);
  return sum;
}

std::int64_t ConfusionMatrix::predictions(std::int64_t of) const {
  std::int64_t sum = 0;
  for (std::int64_t other = 0; other < classes_; ++other) sum += count(other, of);
  return sum;
}

double precision(const ConfusionMatrix& matrix, std::int64_t of) {
  return ratio(matrix.count(of, of), matrix.predictions(of));
}

double recall(const ConfusionMatrix& matrix, std::int64_t of) { return ratio(matrix.count(of, of), matrix.truths(of)); }

double f1(const ConfusionMatrix& matrix, std::int64_t of) {
  return ratio(2 * matrix.count(of, of), matrix.truths(of) + matrix.predictions(of));
}

double accuracy(const ConfusionMatrix& matrix) {
  std::int64_t right = 0;
  for (std::int64_t c = 0; c < matrix.classes(); ++c) right += matrix.count(c, c);
  return matrix.all() == 0 ? kNaN : ratio(right, matrix.all());
}

double balanced_accuracy(const ConfusionMatrix& matrix) {
  double sum = 0;
  int present = 0;
  for (std::int64_t c = 0; c < matrix.classes(); ++c)
    if (matrix.truths(c) > 0) sum += recall(matrix, c), ++present;
  return present == 0 ? kNaN : sum / present;
}

ClassificationScores averaged(const ConfusionMatrix& matrix, Average how) {
  ClassificationScores sum;
  double weights = 0;
  for (std::int64_t c = 0; c < matrix.classes(); ++c) {
    if (matrix.truths(c) + matrix.predictions(c) == 0) continue;
    const double weight = how == Average::macro ? 1 : static_cast<double>(matrix.truths(c));
    sum.precision += weight * precision(matrix, c);
    sum.recall += weight * recall(matrix, c);
    sum.f1 += weight * f1(matrix, c);
    weights += weight;
  }
  if (weights == 0) return {kNaN, kNaN, kNaN};
  return {sum.precision / weights, sum.recall / weights, sum.f1 / weights};
}

}  // namespace strata::metrics
