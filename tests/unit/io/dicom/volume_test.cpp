// SPDX-License-Identifier: Apache-2.0
//
// Real stacks made regular volumes, and brought to a profile's grid.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "strata/config/node.hpp"
#include "strata/study/profile.hpp"
#include "tests/fixtures/real_data.hpp"
#include "tests/unit/io/dicom/loaded.hpp"

namespace strata::io::dicom {
namespace {

study::StackedVolume volume_in(const std::string& folder) {
  Loaded loaded = load_folder(folder);
  EXPECT_EQ(loaded.volumes.size(), 1U);
  return study::volume_of(std::move(loaded.volumes.at(0).stack));
}

study::Profile profile(const std::string& name) {
  const std::string folder = std::string(STRATA_GOLDEN_DATA) + "/../../../configs/data/";
  return study::parse_profile(config::Node::load(folder + name + ".yaml"));
}

// 14 slices 4 mm apart, 14 slices 7 mm apart, 1.08 mm between the two halves, tilted by 18.5°.
TEST(RealVolume, TiltedHeadCtIsStraightenedAndEven) {
  const auto folder = fixtures::real_data("ct_ge_head");
  if (!folder) GTEST_SKIP() << fixtures::kNoRealData;
  const study::StackedVolume head = volume_in(*folder);
  EXPECT_TRUE(head.straightened && head.regridded);
  EXPECT_EQ(head.source_slices, 28);
  EXPECT_EQ(head.missing_slices, 0);
  const study::Volume& volume = head.volume;
  EXPECT_TRUE(study::is_orthogonal(volume.geometry, 1e-6));
  EXPECT_EQ(volume.geometry.extents[0], 37);  // 144.1 mm in steps of 4.0
  EXPECT_NEAR(study::spacing_of(volume.geometry)[0], 4.0, 0.01);
  EXPECT_EQ(volume.geometry.extents[2], 512);
  const double drift = 144.1 * std::tan(18.5 * 3.14159265358979 / 180) / study::spacing_of(volume.geometry)[1];
  EXPECT_NEAR(static_cast<double>(volume.geometry.extents[1]), 512 + drift, 2);
  EXPECT_EQ(volume.padding, -1500.0f);
  // interpolation makes no new extremes, and never mixes padding in
  float low = 1e9f, high = -1e9f;
  for (const float x : volume.voxels) {
    if (x == -1500.0f) continue;
    low = std::min(low, x);
    high = std::max(high, x);
  }
  EXPECT_GT(low, -1100.0f);
  EXPECT_LE(high, 2121.0f);

  const auto scans = study::apply(profile("head_ct"), head, {});
  ASSERT_EQ(scans.size(), 3U);
  for (const study::StoredScan& scan : scans) {
    EXPECT_EQ(study::orientation_of(scan.geometry), "IPR");
    const auto lit = std::ranges::count_if(scan.voxels, [](std::byte b) { return b > std::byte{60}; });
    EXPECT_GT(lit, static_cast<std::ptrdiff_t>(scan.voxels.size() / 50)) << scan.window;
  }
}

TEST(RealVolume, SagittalBrainKeepsItsPlaneUnlessSpacingsAreEqual) {
  const auto folder = fixtures::real_data("mr_uih_brain/t1_gre_fsp_3d_sag");
  if (!folder) GTEST_SKIP() << fixtures::kNoRealData;
  const study::StackedVolume brain = volume_in(*folder);
  EXPECT_FALSE(brain.straightened || brain.regridded);
  EXPECT_TRUE(study::orientation_of(brain.volume.geometry).find_first_of("RL") == 0);
  const auto spacing = study::spacing_of(brain.volume.geometry);
  const bool thick = spacing[0] > 1.001 * std::max(spacing[1], spacing[2]);
  const auto scans = study::apply(profile("brain_mri"), brain, {});
  ASSERT_EQ(scans.size(), 1U);
  EXPECT_EQ(study::orientation_of(scans[0].geometry), thick ? "RIP" : "IPR");
  EXPECT_EQ(scans[0].window, "percentiles");
}

}  // namespace
}  // namespace strata::io::dicom
