// SPDX-License-Identifier: Apache-2.0
//
// What golden values cannot say of metrics: intervals, retrieval, and what is refused. tests/golden/metrics_test.cpp
// compares the rest with scikit-learn.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include "strata/metrics/bootstrap.hpp"
#include "strata/metrics/classification.hpp"
#include "strata/metrics/ranking.hpp"
#include "strata/metrics/retrieval.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::metrics {
namespace {

template <class Function>
void expect_error(ErrorKind kind, const std::string& part, Function&& function) {
  const std::string message = fixtures::message_of(function, kind);
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

std::vector<float> draw_rows(std::int64_t n, std::int64_t width, unsigned seed) {
  std::mt19937 draws(seed);
  std::normal_distribution<float> normal;
  std::vector<float> rows(static_cast<std::size_t>(n * width));
  for (float& value : rows) value = normal(draws);
  return rows;
}

TEST(Metrics, RefuseScoresThatAreNotNumbers) {
  const std::vector<std::uint8_t> labels{1, 0};
  const std::vector<double> scores{0.5, std::nan("")};
  expect_error(ErrorKind::numeric, "score 1 is nan", [&] { auroc(scores, labels); });
  const std::vector<std::int8_t> truths{1, 0};
  expect_error(ErrorKind::numeric, "is nan", [&] { ResampledAuroc(scores, truths); });
  expect_error(ErrorKind::usage, "1 scores and 2 labels", [&] { auroc(std::vector<double>{1}, labels); });
  expect_error(ErrorKind::usage, "class 2 judged as 0, of 2 classes", [] { ConfusionMatrix(2).add(2, 0); });
}

TEST(Metrics, MacroLeavesOutWhatIsNotKnown) {
  EXPECT_DOUBLE_EQ(macro(std::vector<double>{0.5, std::nan(""), 1}), 0.75);
  EXPECT_TRUE(std::isnan(macro(std::vector<double>{std::nan("")})));
  EXPECT_TRUE(std::isnan(balanced_accuracy(ConfusionMatrix(3))));
}

TEST(Bootstrap, PercentilesAreLinearBetweenValues) {
  double next = 0;
  const auto numbers = [&](std::span<const std::uint32_t>, std::span<double> values) {
    values[0] = next++;
    values[1] = std::fmod(next, 2) == 0 ? std::nan("") : 7.0;
    values[2] = std::nan("");
  };
  const auto intervals = bootstrap(3, 3, numbers);
  EXPECT_NEAR(intervals[0].low, 49.975, 1e-9);  // numpy.percentile(arange(2000), [2.5, 97.5])
  EXPECT_NEAR(intervals[0].high, 1949.025, 1e-9);
  EXPECT_EQ(intervals[0].resamples, 2000);
  EXPECT_EQ(intervals[1].resamples, 1000);
  EXPECT_EQ(intervals[1].high, 7.0);
  EXPECT_EQ(intervals[2].resamples, 0);
  EXPECT_TRUE(std::isnan(intervals[2].low));
}

TEST(Bootstrap, ADrawHasAsManyStudiesAndIsAFunctionOfTheSeed) {
  std::vector<std::vector<std::uint32_t>> drawn;
  std::vector<double> seen(50);
  const auto keep = [&](std::span<const std::uint32_t> times, std::span<double> values) {
    drawn.emplace_back(times.begin(), times.end());
    EXPECT_EQ(std::accumulate(times.begin(), times.end(), 0u), 50u);
    for (std::size_t i = 0; i < 50; ++i) seen[i] += times[i];
    values[0] = 0;
  };
  bootstrap(50, 1, keep, {.resamples = 400, .seed = 3});
  const auto first = std::move(drawn);
  EXPECT_NE(first[0], first[1]);
  for (const double times : seen) EXPECT_NEAR(times, 400, 5 * std::sqrt(400.0));
  drawn.clear();
  bootstrap(50, 1, keep, {.resamples = 400, .seed = 3});
  EXPECT_EQ(drawn, first);
  drawn.clear();
  bootstrap(50, 1, keep, {.resamples = 1, .seed = 4});
  EXPECT_NE(drawn[0], first[0]);
}

TEST(Bootstrap, ADrawnAurocIsThatOfTheRepeatedStudies) {
  std::mt19937 draws(7);
  std::vector<double> scores;
  std::vector<std::int8_t> truths;
  for (int i = 0; i < 60; ++i) {
    truths.push_back(static_cast<std::int8_t>(static_cast<int>(draws() % 5) - 1) > 0);
    if (i % 7 == 0) truths.back() = -1;
    scores.push_back(static_cast<double>(draws() % 12) + truths.back());
  }
  const ResampledAuroc drawn(scores, truths);
  const auto both = [&](std::span<const std::uint32_t> times, std::span<double> values) {
    std::vector<double> repeated;
    std::vector<std::uint8_t> positive;
    for (std::size_t i = 0; i < 60; ++i)
      for (std::uint32_t t = 0; truths[i] >= 0 && t < times[i]; ++t) {
        repeated.push_back(scores[i]);
        positive.push_back(truths[i] == 1);
      }
    values[0] = drawn(times);
    values[1] = auroc(repeated, positive);
    EXPECT_DOUBLE_EQ(values[0], values[1]);
  };
  const auto intervals = bootstrap(60, 2, both, {.resamples = 200});
  EXPECT_LT(intervals[0].low, intervals[0].high);
}

// Of an estimate whose spread is known: the mean of 400 normal draws has a standard error of 1/20.
TEST(Bootstrap, TheIntervalOfAMeanIsAsWideAsItsStandardErrorSays) {
  std::mt19937 draws(11);
  std::normal_distribution<double> normal;
  std::vector<double> values(400);
  for (double& value : values) value = normal(draws);
  const auto mean = [&](std::span<const std::uint32_t> times, std::span<double> out) {
    out[0] = 0;
    for (std::size_t i = 0; i < 400; ++i) out[0] += times[i] * values[i] / 400;
  };
  const Interval interval = bootstrap(400, 1, mean).front();
  EXPECT_NEAR(interval.high - interval.low, 2 * 1.96 / 20, 0.025);
}

TEST(Bootstrap, WhatCannotBeDrawnIsRefused) {
  const auto nothing = [](std::span<const std::uint32_t>, std::span<double>) {};
  expect_error(ErrorKind::usage, "0 studies to draw from", [&] { bootstrap(0, 1, nothing); });
  expect_error(ErrorKind::usage, "0 resamples", [&] { bootstrap(2, 1, nothing, {.resamples = 0}); });
  expect_error(ErrorKind::usage, "an interval of 1", [&] { bootstrap(2, 1, nothing, {.level = 1}); });
}

TEST(Retrieval, PlacesAreThoseOfTheSortedSimilarities) {
  constexpr std::int64_t n = 150, width = 19;
  const auto a = draw_rows(n, width, 1);
  auto b = draw_rows(n, width, 2);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] += 0.5f * a[i];
  const RetrievalPlaces places = retrieval_places(a, b, width, 0, n);
  const auto cosine = [&](std::int64_t i, std::int64_t j) {
    long double ab = 0, aa = 0, bb = 0;
    for (std::int64_t c = 0; c < width; ++c) {
      const long double x = a[static_cast<std::size_t>(i * width + c)], y = b[static_cast<std::size_t>(j * width + c)];
      ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / std::sqrt(aa * bb);
  };
  for (std::int64_t i = 0; i < n; ++i) {
    std::int64_t forward = 0, backward = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      forward += cosine(i, j) > cosine(i, i) && i != j;
      backward += cosine(j, i) > cosine(i, i) && i != j;
    }
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(places.forward.better[at], forward);
    EXPECT_EQ(places.backward.better[at], backward);
    EXPECT_EQ(places.forward.equal[at], 1);
  }
  EXPECT_GT(recall_at(places.forward, 10), recall_at(places.forward, 1));
  EXPECT_EQ(recall_at(places.forward, n), 1);
}

TEST(Retrieval, RangesOfRowsAddUp) {
  const auto a = draw_rows(50, 8, 3), b = draw_rows(50, 8, 4);
  const RetrievalPlaces whole = retrieval_places(a, b, 8, 0, 50);
  const RetrievalPlaces head = retrieval_places(a, b, 8, 0, 13), tail = retrieval_places(a, b, 8, 13, 50);
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(whole.forward.better[i], head.forward.better[i] + tail.forward.better[i]);
    EXPECT_EQ(whole.backward.better[i], head.backward.better[i] + tail.backward.better[i]);
    EXPECT_EQ(whole.backward.equal[i], head.backward.equal[i] + tail.backward.equal[i]);
  }
}

TEST(Retrieval, ConstantEmbeddingsScoreByChance) {
  const auto a = draw_rows(40, 5, 5);
  std::vector<float> constant;
  for (int i = 0; i < 40; ++i) constant.insert(constant.end(), {0.3f, -1.1f, 0.7f, 2.f, 0.1f});
  const RetrievalPlaces places = retrieval_places(a, constant, 5, 0, 40);
  EXPECT_DOUBLE_EQ(recall_at(places.forward, 1), 1.0 / 40);
  EXPECT_DOUBLE_EQ(recall_at(places.forward, 10), 0.25);
  EXPECT_DOUBLE_EQ(recall_at(retrieval_places(constant, constant, 5, 0, 40).backward, 20), 0.5);
  EXPECT_DOUBLE_EQ(recall_at(retrieval_places(std::vector<float>(200, 0.f), constant, 5, 0, 40).forward, 1), 1.0 / 40)
      << "rows without a length";
}

TEST(Retrieval, StudiesWithTheSameReportTieThoughRoundingDiffers) {
  std::vector<float> a{1, 0, 0, 1, 1, -0.1f}, b{1, 0, 1e-4f, 1, 1e-3f, 1};  // [3, 2]; texts 1 and 2 read the same
  const std::vector<std::uint64_t> same{8, 9, 9};
  const RetrievalPlaces places = retrieval_places(a, b, 2, 0, 3, {}, same);
  EXPECT_EQ(places.forward.equal, (std::vector<std::int64_t>{1, 2, 2}));
  EXPECT_EQ(places.forward.better, (std::vector<std::int64_t>{0, 0, 1}));
  EXPECT_DOUBLE_EQ(recall_at(places.forward, 1), (1 + 0.5 + 0) / 3);
  EXPECT_DOUBLE_EQ(recall_at(places.forward, 2), (1 + 1 + 0.5) / 3);
  EXPECT_EQ(places.backward.equal[2], 1) << "images differ";
}

TEST(Retrieval, EmbeddingsThatAreNotNumbersAreRefused) {
  std::vector<float> rows{1, 2, std::numeric_limits<float>::infinity(), 1};
  expect_error(ErrorKind::numeric, "the embedding of study 1", [&] { retrieval_places(rows, rows, 2, 0, 2); });
  expect_error(ErrorKind::usage, "rows of 3", [&] { retrieval_places(rows, rows, 3, 0, 1); });
  EXPECT_TRUE(std::isnan(recall_at({}, 1)));
}

}  // namespace
}  // namespace strata::metrics
