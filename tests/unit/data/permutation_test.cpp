// SPDX-License-Identifier: Apache-2.0
#include "strata/data/permutation.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <vector>

#include "tests/fixtures/expect_error.hpp"

namespace strata::data {
namespace {

void expect_bijection(const Permutation& permutation) {
  std::vector<bool> seen(static_cast<std::size_t>(permutation.size()), false);
  for (std::int64_t i = 0; i < permutation.size(); ++i) {
    const std::int64_t item = permutation(i);
    ASSERT_GE(item, 0);
    ASSERT_LT(item, permutation.size());
    ASSERT_FALSE(seen[static_cast<std::size_t>(item)]) << "n " << permutation.size() << ": " << item << " twice";
    seen[static_cast<std::size_t>(item)] = true;
    ASSERT_EQ(permutation.inverse(item), i);
  }
}

TEST(Permutation, IsABijectionForEverySmallSize) {
  for (std::int64_t n = 1; n <= 300; ++n) expect_bijection(Permutation(n, 7, n % 3, static_cast<std::uint32_t>(n % 5)));
  for (const std::int64_t n : {511, 512, 513, 4095, 4096, 4097, 65537}) expect_bijection(Permutation(n, 1, 0));
}

TEST(Permutation, InvertsAtLargeSizes) {
  for (const std::int64_t n :
       {(std::int64_t{1} << 32) - 1, (std::int64_t{1} << 32) + 1, std::int64_t{1} << 48, (std::int64_t{1} << 47) + 1}) {
    const Permutation permutation(n, 99, 3);
    for (std::int64_t i = 0; i < 2000; ++i) {
      const std::int64_t index = n - 1 - i * (n / 2000);
      ASSERT_EQ(permutation.inverse(permutation(index)), index);
      ASSERT_LT(permutation(index), n);
    }
  }
}

// All 24 orders of four items, about equally often over seeds: χ² with 23 degrees of freedom stays below its 0.9999
// quantile.
TEST(Permutation, SmallOrdersAreUniform) {
  std::map<std::array<std::int64_t, 4>, int> counts;
  constexpr int kTrials = 12000;
  for (int seed = 0; seed < kTrials; ++seed) {
    const Permutation p(4, static_cast<std::uint64_t>(seed), 0);
    ++counts[{p(0), p(1), p(2), p(3)}];
  }
  ASSERT_EQ(counts.size(), 24u);
  double chi2 = 0;
  for (const auto& entry : counts) chi2 += std::pow(entry.second - kTrials / 24.0, 2) / (kTrials / 24.0);
  EXPECT_LT(chi2, 56);
}

// Where the first and the last item go, and by how much neighbours part, looks uniform too at a size that is walked.
TEST(Permutation, PlacesAndStepsAreUniform) {
  constexpr int kItems = 37, kTrials = 37000;
  std::vector<int> first(kItems, 0), step(kItems, 0);
  for (int epoch = 0; epoch < kTrials; ++epoch) {
    const Permutation p(kItems, 5, epoch);
    ++first[static_cast<std::size_t>(p(0))];
    ++step[static_cast<std::size_t>((p(21) - p(20) + kItems) % kItems)];
  }
  double chi2_first = 0, chi2_step = 0;
  for (int i = 0; i < kItems; ++i) {
    chi2_first += std::pow(first[static_cast<std::size_t>(i)] - 1000.0, 2) / 1000;
    if (i > 0) chi2_step += std::pow(step[static_cast<std::size_t>(i)] - 37000.0 / 36, 2) / (37000.0 / 36);
  }
  EXPECT_EQ(step[0], 0);
  EXPECT_LT(chi2_first, 75);  // 36 degrees of freedom, 0.9999 quantile 74.9
  EXPECT_LT(chi2_step, 74);
}

TEST(Permutation, SeedsEpochsAndStreamsDiffer) {
  const Permutation base(1000, 1, 1, 1), seed(1000, 2, 1, 1), epoch(1000, 1, 2, 1), stream(1000, 1, 1, 2);
  int same_seed = 0, same_epoch = 0, same_stream = 0;
  for (std::int64_t i = 0; i < 1000; ++i) {
    same_seed += base(i) == seed(i);
    same_epoch += base(i) == epoch(i);
    same_stream += base(i) == stream(i);
  }
  EXPECT_LT(same_seed, 10);
  EXPECT_LT(same_epoch, 10);
  EXPECT_LT(same_stream, 10);
}

// A resumed run must see the order it saw: these values may never change.
TEST(Permutation, OrderIsPartOfTheContract) {
  const Permutation p(10, 42, 0);
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < 10; ++i) order.push_back(p(i));
  EXPECT_EQ(order, (std::vector<std::int64_t>{5, 0, 2, 1, 9, 7, 6, 3, 8, 4}));
}

TEST(Permutation, RefusesWhatItCannotOrder) {
  using fixtures::expect_error;
  expect_error([] { Permutation(0, 1, 0); }, ErrorKind::usage, "[permutation] of 0 items: must be 1 to 2^48");
  expect_error([] { Permutation((std::int64_t{1} << 48) + 1, 1, 0); }, ErrorKind::usage,
               "[permutation] of 281474976710657 items: must be 1 to 2^48");
  expect_error([] { Permutation(5, 1, 0)(5); }, ErrorKind::usage, "[permutation] 5 is not one of 5 items");
  expect_error([] { Permutation(5, 1, 0).inverse(-1); }, ErrorKind::usage, "[permutation] -1 is not one of 5 items");
}

}  // namespace
}  // namespace strata::data
