// SPDX-License-Identifier: Apache-2.0
#include "io/ingest/shard_plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace strata::ingest {
namespace {

std::vector<PlannedStudy> studies(std::initializer_list<std::int64_t> sizes) {
  std::vector<PlannedStudy> all;
  for (const auto size : sizes) all.push_back({std::to_string(all.size()), size, size});
  return all;
}

TEST(ShardPlan, ShardsHoldConsecutiveStudiesUpToTheirSize) {
  const auto shards = cut_into_shards(studies({40, 50, 10, 100, 250, 1, 1}), 100);
  ASSERT_EQ(shards.size(), 4u);
  EXPECT_EQ(shards[0].end, 3u);
  EXPECT_EQ(shards[1].end, 4u);
  EXPECT_EQ(shards[2].end, 5u) << "a study larger than a shard stands alone";
  EXPECT_EQ(shards[3].begin, 5u);
  EXPECT_EQ(shards[3].end, 7u);
  EXPECT_TRUE(cut_into_shards({}, 100).empty());
}

TEST(ShardPlan, WorkIsDealtEvenlyAndAlwaysAlike) {
  const auto all = studies({7, 1, 5, 3, 3, 3, 8, 2, 0, 0});
  const auto ranks = deal(all, 3);
  std::vector<std::int64_t> load(3);
  for (std::size_t i = 0; i < all.size(); ++i) load[static_cast<std::size_t>(ranks[i])] += all[i].work;
  EXPECT_LE(std::ranges::max(load), 12);
  EXPECT_EQ(ranks, deal(all, 3));
  EXPECT_EQ(deal(all, 1), std::vector<int>(all.size(), 0));
}

}  // namespace
}  // namespace strata::ingest
