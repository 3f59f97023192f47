// SPDX-License-Identifier: Apache-2.0
#include "strata/data/packing.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "strata/base/random.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::data {
namespace {

std::vector<std::int64_t> random_studies(std::int64_t count, std::uint32_t most, std::uint64_t seed) {
  std::vector<std::int64_t> scans;
  for (std::int64_t i = 0; i < count; ++i)
    scans.push_back(1 +
                    random_below(random_word({seed, RandomPurpose::test}, {}, static_cast<std::uint64_t>(i)), most));
  return scans;
}

TEST(Packing, EveryStudyStandsOnceWithinTheBudget) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto scans = random_studies(40, 12, seed);
    const PackingRule rule{.tokens_a_scan = 100, .token_budget = 2000};
    const auto batches = pack(scans, rule);
    std::vector<int> seen(40, 0);
    for (const auto& batch : batches) {
      std::int64_t tokens = 0;
      double cost = 0;
      EXPECT_TRUE(std::ranges::is_sorted(batch.members));
      for (const auto i : batch.members) {
        ++seen[static_cast<std::size_t>(i)];
        const std::int64_t t = 100 * scans[static_cast<std::size_t>(i)];
        tokens += t;
        cost += static_cast<double>(t) + static_cast<double>(t * t) / (18 * 768);
      }
      EXPECT_EQ(batch.tokens, tokens);
      EXPECT_NEAR(batch.cost, cost, 1e-9 * cost);
      EXPECT_LE(tokens, 2000);
    }
    EXPECT_EQ(seen, std::vector<int>(40, 1));
    // balance costs little room: near what the tokens alone ask for
    const std::int64_t total = 100 * std::accumulate(scans.begin(), scans.end(), std::int64_t{0});
    EXPECT_LE(static_cast<std::int64_t>(batches.size()), (total + 1999) / 2000 * 5 / 4);
  }
}

TEST(Packing, ALongStudyWeighsMoreThanItsTokens) {
  // Eight scans at once cost 8 + 64·q, eight studies of one scan 8 + 8·q: with q large the long study stands alone.
  const std::vector<std::int64_t> scans{8, 1, 1, 1, 1, 1, 1, 1, 1};
  const auto quadratic = pack(scans, {.tokens_a_scan = 1, .token_budget = 12, .linear = 1, .quadratic = 1});
  ASSERT_EQ(quadratic.size(), 2u);
  EXPECT_EQ(quadratic[0].members, (std::vector<std::int64_t>{0}));
  const auto linear = pack(scans, {.tokens_a_scan = 1, .token_budget = 12, .linear = 1, .quadratic = 0});
  EXPECT_EQ(linear[0].tokens, 8);
  EXPECT_EQ(linear[1].tokens, 8);
}

TEST(Packing, AStudyBeyondTheBudgetHasAMicroBatchOfItsOwn) {
  const auto batches = pack(std::vector<std::int64_t>{2, 50, 2}, {.tokens_a_scan = 10, .token_budget = 100});
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].members, (std::vector<std::int64_t>{1}));
  EXPECT_EQ(batches[0].tokens, 500);
  EXPECT_EQ(batches[1].members, (std::vector<std::int64_t>{0, 2}));
}

TEST(Packing, CountIsAMultipleWhenAsked) {
  const PackingRule rule{.tokens_a_scan = 1, .token_budget = 10, .multiple_of = 8};
  EXPECT_EQ(pack(std::vector<std::int64_t>(20, 5), rule).size(), 16u);
  const auto few = pack(std::vector<std::int64_t>(3, 5), rule);
  ASSERT_EQ(few.size(), 8u);
  EXPECT_EQ(std::ranges::count_if(few, [](const auto& batch) { return batch.members.empty(); }), 5);
}

TEST(Packing, DealsEveryMicroBatchOnceInEqualRounds) {
  for (const int ranks : {1, 2, 3, 5, 8, 64}) {
    const auto batches = pack(random_studies(64, 9, 4), {.tokens_a_scan = 100, .token_budget = 1000});
    const auto dealt = deal(batches, ranks);
    ASSERT_EQ(dealt.size(), static_cast<std::size_t>(ranks));
    const auto rounds = (batches.size() + static_cast<std::size_t>(ranks) - 1) / static_cast<std::size_t>(ranks);
    std::vector<int> seen(batches.size(), 0);
    for (const auto& mine : dealt) {
      ASSERT_EQ(mine.size(), rounds);
      double previous = 1e300;
      for (const auto i : mine) {
        if (i < 0) continue;
        ++seen[static_cast<std::size_t>(i)];
        EXPECT_LE(batches[static_cast<std::size_t>(i)].cost, previous) << "costliest first";
        previous = batches[static_cast<std::size_t>(i)].cost;
      }
    }
    EXPECT_EQ(seen, std::vector<int>(batches.size(), 1));
  }
}

TEST(Packing, RanksAreBalancedByCost) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto batches = pack(random_studies(256, 10, seed), {.tokens_a_scan = 1176, .token_budget = 11760});
    const auto dealt = deal(batches, 8);
    std::vector<double> costs;
    double most = 0, sum = 0;
    for (const auto& mine : dealt) {
      double cost = 0;
      for (const auto i : mine)
        if (i >= 0) cost += batches[static_cast<std::size_t>(i)].cost;
      most = std::max(most, cost);
      sum += cost;
    }
    // Some ranks have a round less when 8 does not divide the micro-batches: at most that round is lost.
    EXPECT_LE(most, sum / 8 + sum / static_cast<double>(batches.size()));
  }
}

TEST(Packing, RefusesRulesThatMakeNoSense) {
  const std::vector<std::int64_t> one{1};
  fixtures::expect_error([&] { pack(one, {.tokens_a_scan = 0}); }, ErrorKind::usage,
                         "[packing] 0 tokens a scan, a budget of 1 tokens, micro-batches in multiples of 1: all must "
                         "be positive");
  fixtures::expect_error([&] { pack(one, {.linear = 0, .quadratic = 0}); }, ErrorKind::usage,
                         "[packing] a cost of 0·T + 0·T²: factors must be positive, one may be 0");
  fixtures::expect_error(
      [] {
        pack(std::vector<std::int64_t>{2, 0}, {});
      },
      ErrorKind::usage, "[packing] study 1 of the batch has 0 scans");
  fixtures::expect_error([] { deal({}, 0); }, ErrorKind::usage, "[packing] 0 ranks to deal to");
}

}  // namespace
}  // namespace strata::data
