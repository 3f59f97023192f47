// SPDX-License-Identifier: Apache-2.0
#include "strata/metrics/bootstrap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "metrics/ordered.hpp"
#include "strata/base/error.hpp"
#include "strata/base/random.hpp"

namespace strata::metrics {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void draw(std::uint64_t seed, std::int64_t resample, std::span<std::uint32_t> times) {
  std::fill(times.begin(), times.end(), 0u);
  const RandomKey key{seed, RandomPurpose::bootstrap};
  RandomCounter counter{.ordinal = static_cast<std::uint64_t>(resample)};
  const auto n = static_cast<std::uint32_t>(times.size());
  for (std::uint32_t i = 0; i < n; i += 4, ++counter.block) {
    const auto words = random_words(key, counter);
    for (std::uint32_t j = 0; j < 4 && i + j < n; ++j) ++times[random_below(words[j], n)];
  }
}

// Of sorted values, linear between neighbours.
double percentile(std::span<const double> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

Interval interval(std::vector<double> values, double level) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return {kNaN, kNaN, 0};
  std::sort(values.begin(), values.end());
  return {percentile(values, (1 - level) / 2), percentile(values, (1 + level) / 2),
          static_cast<std::int64_t>(values.size())};
}

}  // namespace

std::vector<Interval> bootstrap(std::int64_t studies, std::int64_t statistics, const WeightedStatistics& statistic,
                                const BootstrapOptions& options) {
  STRATA_CHECK(studies >= 1 && studies < std::numeric_limits<std::uint32_t>::max(), usage, "bootstrap",
               fmt::format("{} studies to draw from", studies));
  STRATA_CHECK(options.resamples >= 1 && options.level > 0 && options.level < 1, usage, "bootstrap",
               fmt::format("{} resamples for an interval of {}", options.resamples, options.level),
               "take at least one, and a level between 0 and 1");
  std::vector<std::vector<double>> values(static_cast<std::size_t>(statistics));
  std::vector<std::uint32_t> times(static_cast<std::size_t>(studies));
  std::vector<double> one(values.size());
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    draw(options.seed, r, times);
    statistic(times, one);
    for (std::size_t i = 0; i < one.size(); ++i) values[i].push_back(one[i]);
  }
  std::vector<Interval> intervals;
  for (auto& of_one : values) intervals.push_back(interval(std::move(of_one), options.level));
  return intervals;
}

ResampledAuroc::ResampledAuroc(std::span<const double> scores, std::span<const std::int8_t> truths) {
  STRATA_CHECK(scores.size() == truths.size(), usage, "metrics",
               fmt::format("{} scores and {} labels", scores.size(), truths.size()));
  std::vector<std::uint32_t> known;
  for (std::size_t i = 0; i < truths.size(); ++i)
    if (truths[i] >= 0) known.push_back(static_cast<std::uint32_t>(i));
  for (const std::uint32_t i : known) check_finite(scores.subspan(i, 1));
  std::sort(known.begin(), known.end(), [&](std::uint32_t a, std::uint32_t b) { return scores[a] > scores[b]; });
  for (std::size_t i = 0; i < known.size(); ++i)
    order_.push_back(
        {known[i], truths[known[i]] > 0, i + 1 == known.size() || scores[known[i]] != scores[known[i + 1]]});
}

double ResampledAuroc::operator()(std::span<const std::uint32_t> times) const {
  std::int64_t twice = 0, positives = 0, negatives = 0, positives_before = 0, negatives_before = 0;
  for (const Place& place : order_) {
    (place.positive ? positives : negatives) += times[place.study];
    if (!place.last_of_tie) continue;
    twice += (negatives - negatives_before) * (positives_before + positives);
    positives_before = positives;
    negatives_before = negatives;
  }
  if (positives == 0 || negatives == 0) return kNaN;
  return static_cast<double>(twice) / (2 * static_cast<double>(positives) * static_cast<double>(negatives));
}

}  // namespace strata::metrics
