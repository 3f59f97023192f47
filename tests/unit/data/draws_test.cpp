// SPDX-License-Identifier: Apache-2.0
#include "strata/data/draws.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "strata/models/model.hpp"
#include "tests/fixtures/reference_device.hpp"

namespace strata::data {
namespace {

TEST(Draws, KeepsAllScansOfAStudyWithinTheLimit) {
  EXPECT_EQ(keep_scans(3, 0, 1, 0), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ(keep_scans(3, 3, 1, 0), (std::vector<std::int64_t>{0, 1, 2}));
}

TEST(Draws, KeepsEachScanEquallyOften) {
  std::vector<int> counts(10, 0);
  constexpr int kTrials = 20000;
  for (std::int64_t ordinal = 0; ordinal < kTrials; ++ordinal) {
    const auto kept = keep_scans(10, 4, 3, ordinal);
    ASSERT_EQ(kept.size(), 4u);
    ASSERT_TRUE(std::ranges::is_sorted(kept, std::less_equal<>{}));
    for (const auto scan : kept) ++counts[static_cast<std::size_t>(scan)];
  }
  // binomial(20000, 0.4): deviation 69
  for (const int count : counts) EXPECT_NEAR(count, kTrials * 0.4, 350);
}

// A batch that a model would have to thin is thinned alike by the loader, so that voxels that are not used are not
// read.
TEST(Draws, KeepsTheScansThatModelsWouldSelect) {
  const fixtures::ReferenceDevice device;
  const auto& ctx = device.ctx;
  std::vector<float> numbers(12);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  models::StudyBatch batch;
  batch.scans = ctx.tensor(numbers, {12, 1, 1, 1, 1});
  batch.study_offsets = {0, 9, 12};
  batch.ordinals = {77, 78};
  const auto selected = models::select_scans(ctx, batch, 5, 31);
  std::vector<float> expected;
  for (const auto scan : keep_scans(9, 5, 31, 77)) expected.push_back(static_cast<float>(scan));
  for (const auto scan : keep_scans(3, 5, 31, 78)) expected.push_back(static_cast<float>(9 + scan));
  EXPECT_EQ(ctx.to_host<float>(selected.scans), expected);
}

TEST(Draws, SentenceOrderIsAKeyedPermutation) {
  std::vector<int> first(5, 0);
  for (std::int64_t ordinal = 0; ordinal < 10000; ++ordinal) {
    auto order = sentence_order(5, 9, ordinal);
    EXPECT_EQ(order, sentence_order(5, 9, ordinal));
    ++first[static_cast<std::size_t>(order[0])];
    std::ranges::sort(order);
    ASSERT_EQ(order, (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  }
  for (const int count : first) EXPECT_NEAR(count, 2000, 200);  // deviation 40
  EXPECT_TRUE(sentence_order(0, 9, 1).empty());
}

TEST(Draws, SentencesAreLeftOutAtTheirRateAndOneStays) {
  std::vector<int> kept(4, 0);
  int alone = 0;
  for (std::int64_t ordinal = 0; ordinal < 10000; ++ordinal) {
    const auto sentences = keep_sentences(4, 0.7, 9, ordinal);
    EXPECT_EQ(sentences, keep_sentences(4, 0.7, 9, ordinal));
    ASSERT_FALSE(sentences.empty());
    EXPECT_TRUE(std::ranges::is_sorted(sentences));
    for (const auto i : sentences) ++kept[static_cast<std::size_t>(i)];
    alone += sentences.size() == 1;
  }
  // 0.3, and a quarter of the 0.7^4 cases in which none would have stayed.
  for (const int count : kept) EXPECT_NEAR(count, 10000 * (0.3 + 0.2401 / 4), 250);  // deviation 48
  EXPECT_NEAR(alone, 10000 * (0.4116 + 0.2401), 250);
  EXPECT_EQ(keep_sentences(3, 0, 9, 5), (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_TRUE(keep_sentences(0, 0.5, 9, 5).empty());
}

}  // namespace
}  // namespace strata::data
