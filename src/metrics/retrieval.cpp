// SPDX-License-Identifier: Apache-2.0
#include "strata/metrics/retrieval.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "strata/base/error.hpp"

namespace strata::metrics {
namespace {

constexpr std::int64_t kColumns = 64;  // of b that stay in the cache while rows of a pass by

// A function of the two rows alone, so that equal rows give equal similarities.
double dot(const float* x, const float* y, std::int64_t width) {
  std::array<double, 8> sums{};
  std::int64_t i = 0;
  for (; i + 8 <= width; i += 8)
    for (std::size_t lane = 0; lane < 8; ++lane)
      sums[lane] += static_cast<double>(x[i + static_cast<std::int64_t>(lane)]) *
                    static_cast<double>(y[i + static_cast<std::int64_t>(lane)]);
  for (; i < width; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

std::vector<double> reciprocal_lengths(std::span<const float> rows, std::int64_t n, std::int64_t width) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < n; ++i) {
    const float* row = rows.data() + i * width;
    const double length = std::sqrt(dot(row, row, width));
    STRATA_CHECK(std::isfinite(length), numeric, "retrieval", fmt::format("the embedding of study {} is {}", i, length),
                 "the model's embeddings are NaN or infinite");
    result.push_back(length > 0 ? 1 / length : 0);
  }
  return result;
}

struct Side {
  const float* rows;
  std::vector<double> scale;
  std::span<const std::uint64_t> same;

  bool one_and_the_same(std::int64_t i, std::int64_t j) const {
    return !same.empty() && same[static_cast<std::size_t>(i)] == same[static_cast<std::size_t>(j)];
  }
};

class Counting {
 public:
  Counting(Side a, Side b, std::int64_t n, std::int64_t width) : a_(std::move(a)), b_(std::move(b)), width_(width) {
    for (std::int64_t i = 0; i < n; ++i) right_.push_back(similarity(i, i));
    for (Places* places : {&places_.forward, &places_.backward}) {
      places->better.resize(right_.size());
      places->equal.resize(right_.size());
    }
  }

  void rows(std::int64_t first, std::int64_t last) {
    const auto n = static_cast<std::int64_t>(right_.size());
    for (std::int64_t begin = 0; begin < n; begin += kColumns)
      for (std::int64_t i = first; i < last; ++i)
        for (std::int64_t j = begin; j < std::min(begin + kColumns, n); ++j) pair(i, j);
  }

  RetrievalPlaces take() { return std::move(places_); }

 private:
  double similarity(std::int64_t i, std::int64_t j) const {
    return dot(a_.rows + i * width_, b_.rows + j * width_, width_) * a_.scale[static_cast<std::size_t>(i)] *
           b_.scale[static_cast<std::size_t>(j)];
  }

  void pair(std::int64_t i, std::int64_t j) {
    const double s = similarity(i, j);
    note(places_.forward, i, s, i == j || b_.one_and_the_same(i, j));
    note(places_.backward, j, s, i == j || a_.one_and_the_same(i, j));
  }

  void note(Places& places, std::int64_t query, double s, bool same) {
    const auto at = static_cast<std::size_t>(query);
    if (same || s == right_[at]) {
      ++places.equal[at];
    } else if (s > right_[at]) {
      ++places.better[at];
    }
  }

  Side a_, b_;
  std::int64_t width_;
  std::vector<double> right_;  // [n] similarity of a study with itself
  RetrievalPlaces places_;
};

}  // namespace

RetrievalPlaces retrieval_places(std::span<const float> a, std::span<const float> b, std::int64_t width,
                                 std::int64_t first, std::int64_t last, std::span<const std::uint64_t> same_a,
                                 std::span<const std::uint64_t> same_b) {
  const std::int64_t n = width > 0 ? static_cast<std::int64_t>(a.size()) / width : 0;
  const auto fits = [n](std::span<const std::uint64_t> same) {
    return same.empty() || static_cast<std::int64_t>(same.size()) == n;
  };
  STRATA_CHECK(
      width > 0 && a.size() == b.size() && static_cast<std::int64_t>(a.size()) == n * width && first >= 0 &&
          first <= last && last <= n && fits(same_a) && fits(same_b),
      usage, "retrieval",
      fmt::format("{} and {} values for rows of {}, of which {} to {}", a.size(), b.size(), width, first, last));
  Counting counting({a.data(), reciprocal_lengths(a, n, width), same_a},
                    {b.data(), reciprocal_lengths(b, n, width), same_b}, n, width);
  counting.rows(first, last);
  return counting.take();
}

double recall_at(const Places& places, std::int64_t k) {
  double sum = 0;
  for (std::size_t i = 0; i < places.better.size(); ++i)
    sum += std::clamp(static_cast<double>(k - places.better[i]) / static_cast<double>(places.equal[i]), 0.0, 1.0);
  return places.better.empty() ? std::numeric_limits<double>::quiet_NaN()
                               : sum / static_cast<double>(places.better.size());
}

}  // namespace strata::metrics
