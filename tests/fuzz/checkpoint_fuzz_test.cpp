// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "tests/fuzz/feed.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace strata::fuzz {
namespace {

constexpr std::uint64_t kRounds = 2000;
constexpr std::array<std::string_view, 9> kNumbers{
    "0", "1", "-1", "4095", "4096", "4611686018427387904", "9223372036854775807", "18446744073709551615", "1e3"};
constexpr std::array<std::string_view, 4> kStrings{"", "0", "zzzzzzzzzzzzzzzz", "schema"};

TEST(FuzzCheckpoint, Seeds) {
  feed_seeds(fuzz_checkpoint, checkpoint_seeds());
  feed_seeds(fuzz_checkpoint_header, checkpoint_header_seeds());
  feed_seeds(fuzz_checkpoint_tables, checkpoint_table_seeds());
}

TEST(FuzzCheckpoint, MutatedBytes) {
  feed_mutations(
      fuzz_checkpoint, 24, [seed = checkpoint_seeds()[0].bytes](Dice& dice) { return mutate_bytes(seed, dice); },
      kRounds);
}

TEST(FuzzCheckpoint, EditedHeaders) {
  feed_mutations(
      fuzz_checkpoint_header, 25,
      [seed = checkpoint_header_seeds()[0].bytes](Dice& dice) { return mutate_text(seed, kNumbers, kStrings, dice); },
      kRounds);
}

TEST(FuzzCheckpoint, MutatedTablesWithARightChecksum) {
  feed_mutations(
      fuzz_checkpoint_tables, 26,
      [seed = checkpoint_table_seeds()[0].bytes](Dice& dice) {
        std::string bytes = mutate_bytes(seed, dice);
        bytes.resize(seed.size(), '\0');
        return bytes;
      },
      kRounds);
}

TEST(FuzzCheckpoint, Found) {
  feed_found("checkpoint", fuzz_checkpoint);
  feed_found("checkpoint_header", fuzz_checkpoint_header);
  feed_found("checkpoint_tables", fuzz_checkpoint_tables);
}

}  // namespace
}  // namespace strata::fuzz
