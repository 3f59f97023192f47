// SPDX-License-Identifier: Apache-2.0
#include "strata/study/geometry.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "tests/fixtures/expect_error.hpp"
#include "tests/unit/study/ramp.hpp"

namespace strata::study {
namespace {

using fixtures::message_of;

// Axes along world axes: letters of D, H, W.
Geometry along(const std::string& axes, const Extents3& extents, const Vec3& spacing) {
  Geometry geometry{extents, {1, 2, 3}, {}};
  for (std::size_t a = 0; a < 3; ++a) {
    const auto up = std::string_view("RAS").find(axes[a]), down = std::string_view("LPI").find(axes[a]);
    geometry.steps[a][up != std::string_view::npos ? up : down] =
        up != std::string_view::npos ? spacing[a] : -spacing[a];
  }
  return geometry;
}

Volume numbered(const Geometry& geometry) {
  Volume volume{geometry, std::vector<float>(static_cast<std::size_t>(voxel_count(geometry))), {}};
  for (std::size_t i = 0; i < volume.voxels.size(); ++i) volume.voxels[i] = static_cast<float>(i);
  return volume;
}

TEST(Geometry, PositionsAndIndexesAreInverse) {
  const Geometry g = oblique({5, 6, 7}, {3, 0.5, 0.7});
  const Vec3 index{1.25, -3, 8}, back = index_of(g, position_of(g, index));
  for (std::size_t a = 0; a < 3; ++a) EXPECT_NEAR(back[a], index[a], 1e-12);
  EXPECT_NEAR(spacing_of(g)[0], 3, 1e-12);
}

TEST(Geometry, FlatGridHasNoIndexes) {
  Geometry g = oblique({5, 6, 7}, {3, 0.5, 0.7});
  g.steps[2] = g.steps[1];
  message_of([&] { index_of(g, {0, 0, 0}); }, ErrorKind::data);
  Volume v{g, std::vector<float>(210), {}};
  message_of([&] { check(v, "test"); }, ErrorKind::data);
  v.geometry.steps[2] = {std::numeric_limits<double>::quiet_NaN(), 0, 0};
  message_of([&] { check(v, "test"); }, ErrorKind::data);
}

TEST(Geometry, AVolumeMustHoldAsManyValuesAsVoxels) {
  Volume v = numbered(along("SPL", {2, 3, 4}, {1, 1, 1}));
  check(v, "test");
  v.voxels.pop_back();
  EXPECT_NE(message_of([&] { check(v, "test"); }, ErrorKind::data).find("23 values for 2×3×4 voxels"),
            std::string::npos);
  v.geometry.extents[0] = 0;
  message_of([&] { check(v, "test"); }, ErrorKind::data);
}

TEST(Orient, FlipsAndPermutesBitByBit) {
  const Volume v = numbered(along("SPL", {2, 3, 4}, {5, 1, 1}));
  const Volume ras = orient(v, {"RAS"});  // [W reversed, H reversed, D]
  ASSERT_EQ(ras.geometry.extents, (Extents3{4, 3, 2}));
  each_voxel(ras, [&](auto d, auto h, auto w, float x) {
    EXPECT_EQ(x, v.voxels[static_cast<std::size_t>((w * 3 + (2 - h)) * 4 + (3 - d))]);
  });
  EXPECT_EQ(ras.geometry.origin, (Vec3{1 - 3, 2 - 2, 3}));
  EXPECT_EQ(orient(ras, {"SPL"}).voxels, v.voxels);
}

TEST(Orient, EveryCodeAndBack) {
  const std::string letters = "RLAPSI";
  const Volume v = numbered(oblique({3, 5, 4}, {2, 1, 1.5}, 0.3));
  int codes = 0;
  for (const char a : letters)
    for (const char b : letters)
      for (const char c : letters) {
        const std::string code{a, b, c};
        const auto axis = [&](char letter) { return letters.find(letter) / 2; };
        if (axis(a) == axis(b) || axis(b) == axis(c) || axis(a) == axis(c)) continue;
        const Volume turned = orient(v, {code});
        EXPECT_EQ(orientation_of(turned.geometry), code);
        EXPECT_EQ(orient(turned, {orientation_of(v.geometry)}).voxels, v.voxels);
        ++codes;
      }
  EXPECT_EQ(codes, 48);
}

TEST(Orient, RefusesCodesThatNameNoOrientation) {
  const Volume v = numbered(along("SPL", {2, 3, 4}, {5, 1, 1}));
  for (const char* code : {"RAR", "RA", "XAS", "ras", ""}) message_of([&] { orient(v, {code}); }, ErrorKind::usage);
}

TEST(Orient, KeepsPadding) {
  Volume v = numbered(along("SPL", {2, 3, 4}, {5, 1, 1}));
  v.padding = 3.0f;
  EXPECT_EQ(orient(v, {"RAS"}).padding, v.padding);
}

// Published rule: (z, y, x) axial, (y, z, x) coronal, (x, z, y) sagittal, with z downwards, y backwards, x to the
// right.
TEST(OwnPlane, LargestSpacingComesFirst) {
  const auto code = [](const char* axes, const Vec3& spacing) {
    return orientation_of(own_plane(numbered(along(axes, {2, 3, 4}, spacing))).geometry);
  };
  EXPECT_EQ(code("SPL", {5, 1, 1}), "IPR");
  EXPECT_EQ(code("AIL", {5, 1, 1}), "PIR");
  EXPECT_EQ(code("RIP", {5, 1, 1}), "RIP");
  EXPECT_EQ(code("SPL", {1, 1, 3}), "RIP");
  EXPECT_EQ(code("RIP", {1, 1, 1}), "IPR");              // of equals the first
  EXPECT_EQ(code("RIP", {1.0000001, 1, 1}), "IPR");      // what is equal but for digits
  EXPECT_EQ(code("SPL", {0.625, 0.976, 0.976}), "PIR");  // thin overlapping slices: the published rule has it so
}

}  // namespace
}  // namespace strata::study
