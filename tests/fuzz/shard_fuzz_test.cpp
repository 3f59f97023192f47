// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "tests/fuzz/feed.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace strata::fuzz {
namespace {

constexpr std::uint64_t kShardRounds = 3000;
constexpr std::array<std::string_view, 9> kNumbers{
    "0", "1", "-1", "4095", "4096", "4611686018427387904", "9223372036854775807", "18446744073709551615", "1e3"};
constexpr std::array<std::string_view, 4> kStrings{"", "0", "zzzzzzzzzzzzzzzz", "schema"};

TEST(FuzzShard, Seeds) {
  feed_seeds(fuzz_shard, shard_seeds());
  feed_seeds(fuzz_shard_header, shard_header_seeds());
}

TEST(FuzzShard, MutatedBytes) {
  feed_mutations(
      fuzz_shard, 14, [seed = shard_seeds()[0].bytes](Dice& dice) { return mutate_bytes(seed, dice); }, kShardRounds);
}

TEST(FuzzShard, EditedHeaders) {
  feed_mutations(
      fuzz_shard_header, 15,
      [seed = shard_header_seeds()[0].bytes](Dice& dice) { return mutate_text(seed, kNumbers, kStrings, dice); },
      kShardRounds);
}

TEST(FuzzShard, Found) {
  feed_found("shard", fuzz_shard);
  feed_found("shard_header", fuzz_shard_header);
}

}  // namespace
}  // namespace strata::fuzz
