// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/attention_choice.hpp"

#include <gtest/gtest.h>

namespace strata::cuda {
namespace {

using Counts = std::vector<std::int64_t>;

constexpr AttentionSetting kHopper{9, kOldestCudnn, true};
constexpr std::int64_t kLimit = kHopper.scores;

AttentionSizes equal(std::int64_t segments, std::int64_t length, std::int64_t heads = 12) {
  return {segments, segments * length, segments * length, length, length, heads, 64};
}
AttentionSizes ragged(std::int64_t segments, std::int64_t rows, std::int64_t longest) {
  return {segments, rows, rows, longest, longest, 12, 64};
}

TEST(AttentionChoice, LengthsAreRoundedByAQuarterAtMost) {
  EXPECT_EQ(rounded_length(1), 64);
  EXPECT_EQ(rounded_length(64), 64);
  EXPECT_EQ(rounded_length(65), 128);
  EXPECT_EQ(rounded_length(197), 256);
  EXPECT_EQ(rounded_length(257), 320);
  EXPECT_EQ(rounded_length(1177), 1280);
  EXPECT_EQ(rounded_length(9409), 10240);
  EXPECT_EQ(rounded_length(47041), 49152);
  int plans = 0;
  for (std::int64_t n = 1, last = 0; n <= 65536; ++n) {
    const std::int64_t length = rounded_length(n);
    ASSERT_GE(length, n);
    if (n > 256) {
      ASSERT_LE(4 * length, 5 * n + 256) << n;
    }
    plans += length != last;
    last = length;
  }
  EXPECT_LE(plans, 40);
}

TEST(AttentionChoice, NumbersOfRaggedSegmentsAreRounded) {
  EXPECT_EQ(rounded_segments(1), 1);
  EXPECT_EQ(rounded_segments(37), 64);
  EXPECT_EQ(rounded_segments(1024), 1024);
  EXPECT_EQ(rounded_segments(1025), 2048);
  EXPECT_EQ(rounded_segments(6400), 7168);
}

TEST(AttentionChoice, EqualSegmentsAreCutIntoPowersOfTwo) {
  const auto choice = choose_attention(equal(1231, 50), false, kHopper);
  EXPECT_TRUE(choice.served);
  EXPECT_FALSE(choice.ragged);
  EXPECT_EQ(choice.queries, 50);
  EXPECT_EQ(choice.heads, 12);
  EXPECT_EQ(choice.segments, (Counts{1024, 128, 64, 8, 4, 2, 1}));
  EXPECT_EQ(choice.places(), 1231);
  EXPECT_EQ(choose_attention(equal(40000, 50), false, kHopper).segments.front(), kMostSegments);
}

TEST(AttentionChoice, QueriesAndKeysMayBeOfDifferentLengths) {
  const auto choice = choose_attention({8, 8, 8 * 77, 1, 77, 12, 64}, true, kHopper);
  EXPECT_TRUE(choice.served && !choice.ragged);
  EXPECT_EQ(choice.queries, 1);
  EXPECT_EQ(choice.keys, 77);
  EXPECT_TRUE(choose_attention({8, 8, 8 * 76, 1, 77, 12, 64}, true, kHopper).ragged);
}

TEST(AttentionChoice, RaggedOnesGetPlacesForMoreThanThereAre) {
  const auto choice = choose_attention(ragged(37, 9000, 1177), false, kHopper);
  EXPECT_TRUE(choice.served && choice.ragged);
  EXPECT_EQ(choice.queries, 1280);
  EXPECT_EQ(choice.segments, Counts{64});
}

TEST(AttentionChoice, ExactGradientsKeepWithinTheirMemory) {
  const auto in_memory = [](const AttentionChoice& choice) {
    return choice.segments.front() * choice.heads * score_bytes(choice.queries, choice.keys);
  };
  const auto scans = choose_attention(ragged(64, 30000, 1177), true, kHopper);
  EXPECT_EQ(scans.heads, 12);
  EXPECT_EQ(scans.segments, (Counts{32, 32}));
  EXPECT_LE(in_memory(scans), kLimit);
  EXPECT_EQ(choose_attention(ragged(33, 30000, 1177), true, kHopper).segments, (Counts{32, 32}));
  EXPECT_EQ(choose_attention(ragged(32, 30000, 1177), true, kHopper).segments, Counts{32});

  const auto longer = choose_attention(equal(1, 9409), true, kHopper);
  EXPECT_EQ(longer.heads, 6);
  EXPECT_LE(in_memory(longer), kLimit);
  const auto longest = choose_attention(equal(2, 47041), true, kHopper);
  EXPECT_EQ(longest.heads, 1);
  EXPECT_EQ(longest.segments, (Counts{1, 1}));
  EXPECT_LE(in_memory(longest), 4 * kLimit);
  EXPECT_FALSE(choose_attention(equal(1, 70000), true, kHopper).served) << "one head is too large";
  EXPECT_TRUE(choose_attention(equal(1, 70000), false, kHopper).served);

  AttentionSetting inexact = kHopper;
  inexact.exact = false;
  EXPECT_EQ(choose_attention(equal(2, 47041), true, inexact).segments, Counts{2});
  EXPECT_FALSE(choose_attention({512, 60000, 60000, 20000, 20000, 12, 64}, true, kHopper).served)
      << "more runs than are worth it";
}

TEST(AttentionChoice, HeadsDivide) {
  EXPECT_EQ(heads_at_a_time(12, 100, 1200), 12);
  EXPECT_EQ(heads_at_a_time(12, 100, 1199), 6);
  EXPECT_EQ(heads_at_a_time(12, 100, 599), 4);
  EXPECT_EQ(heads_at_a_time(12, 100, 99), 1);
  EXPECT_EQ(heads_at_a_time(1, 100, 50), 1);
}

TEST(AttentionChoice, WhatCudnnDoesNotServe) {
  const auto served = [](const AttentionSizes& sizes, bool backward, AttentionSetting setting = kHopper) {
    return choose_attention(sizes, backward, setting).served;
  };
  for (const bool backward : {false, true}) {
    EXPECT_TRUE(served(equal(4, 50), backward));
    EXPECT_FALSE(served({}, backward)) << "no segments";
    EXPECT_FALSE(served({2, 0, 0, 0, 0, 12, 64}, backward)) << "no tokens";
    EXPECT_FALSE(served({2, 60, 60, 0, 0, 12, 64}, backward)) << "the longest is not known";
    EXPECT_FALSE(served({2, 60, 60, 20, 20, 12, 64}, backward)) << "the longest cannot be";
    EXPECT_FALSE(served({2, 60, 60, 30, 30, 12, 136}, backward)) << "wide heads";
    EXPECT_FALSE(served(equal(4, 50), backward, {9, kOldestCudnn - 1, true}));
    EXPECT_FALSE(served(equal(4, 50), backward, {7, kOldestCudnn, true}));
  }
  EXPECT_TRUE(served(equal(4, 1), false));
  EXPECT_FALSE(served(equal(4, 1), true)) << "one query and one key";
  AttentionSizes narrow = ragged(4, 100, 50);
  narrow.head_width = 72;
  EXPECT_TRUE(served(narrow, false));
  EXPECT_FALSE(served(narrow, true)) << "ragged heads of no multiple of 16";
  EXPECT_TRUE(served(equal(4, 50), true, {8, kOldestCudnn, true}));
  EXPECT_FALSE(served(ragged(4, 100, 50), true, {8, kOldestCudnn, false})) << "ragged gradients on Ampere";
  EXPECT_FALSE(served(equal(4, 50), true, {10, kOldestCudnn, true}));
  EXPECT_TRUE(served(equal(4, 50), true, {10, kOldestCudnn, false}));
}

}  // namespace
}  // namespace strata::cuda
