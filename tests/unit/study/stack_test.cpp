// SPDX-License-Identifier: Apache-2.0
// From slices to volumes: tilt, uneven gaps, missing slices.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "strata/study/geometry.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/unit/study/ramp.hpp"

namespace strata::study {
namespace {

using fixtures::message_of;

Vec3 sum(const Vec3& a, double t, const Vec3& b) { return {a[0] + t * b[0], a[1] + t * b[1], a[2] + t * b[2]}; }

// Slices whose first voxels lie at places·normal + drift·places·step_h, with the values of `value` at their positions.
template <class Value>
SliceStack stack_at(const std::vector<double>& places, double drift, std::int64_t height, std::int64_t width,
                    const Value& value) {
  const Geometry g = oblique({1, 1, 1}, {1, 0.8, 0.7}, 0.15);
  SliceStack stack;
  stack.height = height;
  stack.width = width;
  // step_w × step_h points along the slices of a DICOM axial stack; the test's D axis runs that way or is turned round
  stack.step_h = g.steps[1];
  stack.step_w = g.steps[2];
  const Vec3 &w = stack.step_w, &h = stack.step_h;
  Vec3 normal{w[1] * h[2] - w[2] * h[1], w[2] * h[0] - w[0] * h[2], w[0] * h[1] - w[1] * h[0]};
  for (double& n : normal) n /= 0.8 * 0.7;
  for (const double place : places) {
    const Vec3 origin = sum(sum({-20, 35, 7}, place, normal), drift * place, stack.step_h);
    stack.origins.push_back(origin);
    for (std::int64_t i = 0; i < height; ++i)
      for (std::int64_t j = 0; j < width; ++j)
        stack.voxels.push_back(value(sum(sum(origin, static_cast<double>(i), h), static_cast<double>(j), w)));
  }
  return stack;
}

std::vector<double> evenly(int count, double step) {
  std::vector<double> places(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<double>(i) * step;
  return places;
}

TEST(Stack, EvenSlicesAreMovedAsTheyAre) {
  SliceStack stack = stack_at(evenly(8, 3), 0, 6, 5, ramp);
  stack.padding = -2000.0f;
  const std::vector<float> voxels = stack.voxels;
  const float* where = stack.voxels.data();
  const StackedVolume out = volume_of(std::move(stack));
  EXPECT_FALSE(out.straightened || out.regridded);
  EXPECT_EQ(out.missing_slices, 0);
  EXPECT_EQ(out.source_slices, 8);
  EXPECT_EQ(out.volume.voxels.data(), where);
  EXPECT_EQ(out.volume.voxels, voxels);
  EXPECT_EQ(out.volume.padding, -2000.0f);
  EXPECT_LT(ramp_error(out.volume), 1e-4);
}

// Positions in headers are rounded; what stays within 5 % of the gap is even.
TEST(Stack, RoundedPositionsAreEven) {
  std::vector<double> places = evenly(20, 0.625);
  for (double& place : places) place = std::round(place * 100) / 100;
  EXPECT_FALSE(volume_of(stack_at(places, 0, 4, 4, ramp)).regridded);
}

TEST(Stack, OneSlice) {
  const StackedVolume out = volume_of(stack_at({0}, 0, 4, 4, ramp));
  EXPECT_EQ(out.volume.geometry.extents, (Extents3{1, 4, 4}));
  EXPECT_NEAR(spacing_of(out.volume.geometry)[0], 1, 1e-12);
  EXPECT_EQ(out.missing_slices, 0);
}

TEST(Stack, TiltIsTakenOutAndNothingIsLost) {
  const std::vector<double> places = evenly(10, 4);
  for (const double drift : {0.3, -0.42}) {  // rows a mm
    const SliceStack stack = stack_at(places, drift, 20, 6, ramp);
    const StackedVolume out = volume_of(stack);
    EXPECT_TRUE(out.straightened);
    EXPECT_FALSE(out.regridded);
    EXPECT_TRUE(is_orthogonal(out.volume.geometry, 1e-9));
    EXPECT_EQ(out.volume.geometry.extents,
              (Extents3{10, 20 + static_cast<std::int64_t>(std::ceil(std::abs(drift) * 36)), 6}));
    const auto padding = std::ranges::count(out.volume.voxels, *out.volume.padding);
    EXPECT_NEAR(static_cast<double>(out.volume.voxels.size()) - static_cast<double>(padding), 10 * 20 * 6, 10 * 6);
    // an edge row may repeat for half a pixel
    std::int64_t far = 0;
    each_voxel(out.volume, [&](auto d, auto h, auto w, float value) {
      const Vec3 p = position_of(out.volume.geometry, index3(d, h, w));
      if (value != *out.volume.padding && std::abs(value - ramp(p)) > 1e-3f) ++far;
    });
    EXPECT_LE(far, 10 * 6);
  }
}

TEST(Stack, TiltAndUnevenGapsTogether) {
  const std::vector<double> places{0, 4, 8.1, 9.2, 16.2, 20.2, 24.3};
  const StackedVolume out = volume_of(stack_at(places, 0.25, 20, 6, ramp));
  EXPECT_TRUE(out.straightened && out.regridded);
  EXPECT_EQ(out.volume.geometry.extents[0], 7);
  std::int64_t far = 0, measured = 0;
  each_voxel(out.volume, [&](auto d, auto h, auto w, float value) {
    if (value == *out.volume.padding) return;
    ++measured;
    if (std::abs(value - ramp(position_of(out.volume.geometry, index3(d, h, w)))) > 2e-3f) ++far;
  });
  EXPECT_GT(measured, 7 * 18 * 6);
  EXPECT_LT(far, 2 * 7 * 6);
}

TEST(Stack, UnevenSlicesKeepTheRamp) {
  const StackedVolume out = volume_of(stack_at({0, 4, 8.1, 9.2, 16.2, 20.2, 24.3}, 0, 5, 6, ramp));
  EXPECT_TRUE(out.regridded);
  EXPECT_NEAR(spacing_of(out.volume.geometry)[0], 4, 1e-9);
  EXPECT_LT(ramp_error(out.volume), 1e-3);
  EXPECT_FALSE(out.volume.padding.has_value());
}

// An ellipsoid cut by a tilted gantry: after straightening each voxel inside it, away from its surface, is inside.
TEST(Stack, EllipsoidThroughATiltedGantry) {
  const auto places = evenly(24, 1.5);
  const SliceStack empty = stack_at(places, 0.33, 50, 40, ramp);
  const Vec3 centre = sum(sum(empty.origins[12], 25, empty.step_h), 20, empty.step_w);
  const auto level = [&](const Vec3& p) {
    return std::hypot((p[0] - centre[0]) / 9, (p[1] - centre[1]) / 12, (p[2] - centre[2]) / 16);
  };
  const auto value = [&](const Vec3& p) { return static_cast<float>(100 * std::clamp(4 * (1 - level(p)), -1.0, 1.0)); };
  const StackedVolume out = volume_of(stack_at(places, 0.33, 50, 40, value));
  ASSERT_TRUE(out.straightened);
  double worst = 0, inside = 0;
  each_voxel(out.volume, [&](auto d, auto h, auto w, float x) {
    if (x == *out.volume.padding) return;
    const Vec3 p = position_of(out.volume.geometry, index3(d, h, w));
    worst = std::max(worst, std::abs(static_cast<double>(x - value(p))));
    if (x > 0) inside += 1;
  });
  EXPECT_LT(worst, 12);  // of 200: the function has kinks that linear interpolation rounds off
  EXPECT_NEAR(inside * 1.5 * 0.8 * 0.7, 4.0 / 3 * 3.14159265 * 9 * 12 * 16, 250) << "mm³";
}

TEST(Stack, MissingSlicesAreCounted) {
  const auto missing = [](std::vector<double> places) {
    return volume_of(stack_at(places, 0, 3, 3, ramp)).missing_slices;
  };
  EXPECT_EQ(missing({0, 5, 10, 20, 25, 30}), 1);
  EXPECT_EQ(missing({0, 5, 10, 25, 30, 35}), 2);
  EXPECT_EQ(missing({0, 5, 15, 20, 30, 35}), 2);
  EXPECT_EQ(missing({0, 5, 10, 15, 20, 35}), 2);
  EXPECT_EQ(missing({0, 2.5, 5, 7.5, 10, 15, 20, 25, 30}), 0);  // the gap changes on purpose
}

// Padding does not bleed into measured values.
TEST(Stack, PaddingIsNotInterpolated) {
  SliceStack stack = stack_at(evenly(6, 3), 0.4, 12, 6, ramp);
  stack.padding = -3000.0f;
  const auto smallest = std::ranges::min(stack.voxels);
  for (std::size_t i = 0; i < stack.voxels.size(); i += 5) stack.voxels[i] = -3000.0f;
  const StackedVolume out = volume_of(stack);
  for (const float x : out.volume.voxels) EXPECT_TRUE(x == -3000.0f || x >= smallest) << x;
}

TEST(Stack, RefusesWhatIsNoVolume) {
  message_of([] { volume_of(SliceStack{}); }, ErrorKind::data);
  EXPECT_NE(message_of(
                [] {
                  volume_of(stack_at({0, 5, 5, 10}, 0, 3, 3, ramp));
                },
                ErrorKind::data)
                .find("slices 1 and 2"),
            std::string::npos);
  message_of([] { volume_of(stack_at({0, 5, 4, 10}, 0, 3, 3, ramp)); }, ErrorKind::data);
  message_of([] { volume_of(stack_at({0, 1, 2, 900}, 0, 3, 3, ramp)); }, ErrorKind::data);
  message_of([] { volume_of(stack_at({0, 100, 200, 300}, 0.5, 3, 3, ramp)); }, ErrorKind::data);
  SliceStack stack = stack_at(evenly(4, 3), 0, 3, 3, ramp);
  stack.voxels.pop_back();
  message_of([&] { volume_of(stack); }, ErrorKind::data);
  stack = stack_at(evenly(4, 3), 0, 3, 3, ramp);
  stack.step_w = stack.step_h;
  message_of([&] { volume_of(stack); }, ErrorKind::data);
}

TEST(Stack, StraightenLeavesWhatIsStraight) {
  Volume v = ramp_volume(oblique({5, 6, 7}, {3, 1, 1}));
  const float* where = v.voxels.data();
  EXPECT_EQ(straighten(std::move(v)).voxels.data(), where);
}

TEST(Stack, StraightenKeepsTheDirectionOfSlices) {
  Geometry g = oblique({8, 20, 6}, {-3, 1, 1});  // slices run against the normal of rows and columns
  for (std::size_t r = 0; r < 3; ++r) g.steps[0][r] += 0.9 * g.steps[1][r];
  const Volume out = straighten(ramp_volume(g));
  EXPECT_TRUE(is_orthogonal(out.geometry, 1e-9));
  EXPECT_EQ(orientation_of(out.geometry), orientation_of(g));
  EXPECT_GT(std::ranges::count_if(out.voxels, [&](float x) { return x != *out.padding; }), 8 * 19 * 6);
}

}  // namespace
}  // namespace strata::study
