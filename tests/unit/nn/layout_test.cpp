// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "strata/nn/tokens.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"

namespace strata::nn {
namespace {

StudyShape ragged() {
  return {{2, 2, 3}, {0, 1, 4}, {70, 7}, 2};
}  // a study of one scan, one of three; 12 patches a scan; 2 prefix tokens

class StudyLayoutTest : public testing::Test {
 protected:
  fixtures::ReferenceDevice device_;
};

TEST_F(StudyLayoutTest, GroupsRaggedStudies) {
  const StudyLayout layout(device_.ctx, ragged());
  EXPECT_EQ(layout.patch_tokens(), 48);
  EXPECT_EQ(layout.at(Level::slice).segments.offsets(), (std::vector<std::int64_t>{0, 8, 16, 24, 32, 40, 48, 56, 64}));
  EXPECT_EQ(layout.at(Level::scan).segments.offsets(), (std::vector<std::int64_t>{0, 14, 28, 42, 56}));
  EXPECT_EQ(layout.at(Level::study).segments.offsets(), (std::vector<std::int64_t>{0, 14, 52}));
  EXPECT_EQ(device_.ctx.to_host<std::int32_t>(layout.parts(Level::slice, Level::study)),
            (std::vector<std::int32_t>{0, 2, 8}));
  EXPECT_EQ(device_.ctx.to_host<std::int32_t>(layout.parts(Level::scan, Level::study)),
            (std::vector<std::int32_t>{0, 1, 4}));
  EXPECT_EQ(device_.ctx.to_host<std::int32_t>(layout.parts(Level::slice, Level::scan)),
            (std::vector<std::int32_t>{0, 2, 4, 6, 8}));
  EXPECT_EQ(device_.ctx.to_host<std::int64_t>(layout.at(Level::scan).random_keys),
            (std::vector<std::int64_t>{70, 0, 7, 0, 7, 1, 7, 2}));
  EXPECT_EQ(layout.scan_of_token()[12], 1);
  EXPECT_FALSE(layout.kept().defined());
}

TEST_F(StudyLayoutTest, PatchDropoutKeepsTheSameNumberASequence) {
  const auto kept = keep_patches(ragged(), Level::scan, 0.5, 11);
  ASSERT_EQ(kept.size(), 4u * 6u);
  for (std::size_t scan = 0; scan < 4; ++scan)
    EXPECT_EQ(std::ranges::count_if(kept, [&](std::int32_t t) { return t / 12 == static_cast<std::int32_t>(scan); }),
              6);
  const StudyLayout layout(device_.ctx, ragged(), kept);
  EXPECT_EQ(layout.patch_tokens(), 24);
  EXPECT_EQ(layout.at(Level::scan).segments.offsets(), (std::vector<std::int64_t>{0, 8, 16, 24, 32}));
  EXPECT_EQ(layout.at(Level::slice).segments.total(), 24 + 8 * 2);  // slices may differ in length
  EXPECT_EQ(device_.ctx.to_host<std::int32_t>(layout.kept()), kept);
}

TEST_F(StudyLayoutTest, PatchDropoutAtEachLevelKeepsAtLeastOne) {
  EXPECT_EQ(keep_patches(ragged(), Level::slice, 0.99, 3).size(), 8u);
  EXPECT_EQ(keep_patches(ragged(), Level::slice, 0.5, 3).size(), 8u * 3u);
  EXPECT_EQ(keep_patches(ragged(), Level::study, 0.75, 3).size(), 3u + 9u);
}

TEST_F(StudyLayoutTest, DrawsDependOnTheStudyAloneNotOnItsBatch) {
  const StudyShape both = ragged();
  const StudyShape alone{both.grid, {0, 3}, {7}, 2};
  const auto in_batch = keep_patches(both, Level::scan, 0.5, 11);
  auto by_itself = keep_patches(alone, Level::scan, 0.5, 11);
  for (auto& token : by_itself) token += 12;
  EXPECT_TRUE(std::equal(by_itself.begin(), by_itself.end(), in_batch.begin() + 6));
  EXPECT_NE(keep_patches(both, Level::scan, 0.5, 12), in_batch);
}

TEST_F(StudyLayoutTest, ScanPositionsAreDistinctAndKeyed) {
  const auto positions = draw_scan_positions(40, 8, 5, 123);
  EXPECT_EQ(std::set<std::int64_t>(positions.begin(), positions.end()).size(), 8u);
  EXPECT_EQ(draw_scan_positions(40, 8, 5, 123), positions);
  EXPECT_NE(draw_scan_positions(40, 8, 5, 124), positions);
  EXPECT_EQ(fixtures::message_of([] { draw_scan_positions(4, 5, 0, 0); }, ErrorKind::usage),
            "[scan positions] 5 scans cannot take distinct rows of a table of 4: choose a subset of the scans first "
            "(select_scans)");
}

TEST_F(StudyLayoutTest, EmptyBatchesAndStudiesAreRefused) {
  EXPECT_EQ(fixtures::message_of(
                [&] {
                  StudyLayout(device_.ctx, StudyShape{{1, 1, 1}, {0}, {}, 1});
                },
                ErrorKind::data),
            "[study layout] the batch has no studies or no scans: leave empty studies out of the batch");
  EXPECT_EQ(fixtures::message_of(
                [&] {
                  StudyLayout(device_.ctx, StudyShape{{1, 1, 1}, {0, 2, 2}, {4, 9}, 1});
                },
                ErrorKind::data),
            "[study layout] study 1 of the batch (ordinal 9) has no scans: leave empty studies out of the batch");
}

}  // namespace
}  // namespace strata::nn
