// SPDX-License-Identifier: Apache-2.0
#include "io/image/montage.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "tests/fixtures/expect_error.hpp"

namespace strata::io {
namespace {

using study::Geometry;
using study::Vec3;

// Steps towards the given directions of RAS: "RAS" has d to the right, h forward, w up.
Geometry along(const std::string& axes, study::Extents3 extents, Vec3 spacing) {
  Geometry geometry{.extents = extents, .origin = {}, .steps = {}};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto place = std::string("RASLPI").find(axes[i]);
    geometry.steps[i][place % 3] = place < 3 ? spacing[i] : -spacing[i];
  }
  return geometry;
}

// Where the picture of the last row is bright: the middle of all pixels above 200 within the tile, in shares of it.
std::pair<double, double> bright_spot(const Image& image, int x0, int y0, int width, int height) {
  double x = 0, y = 0, count = 0;
  for (int v = y0; v < y0 + height; ++v)
    for (int u = x0; u < x0 + width; ++u) {
      const auto pixel = image.pixel(u, v);
      if (pixel[0] < 200 || pixel[0] != pixel[2]) continue;  // letters are blue
      x += u - x0 + 0.5;
      y += v - y0 + 0.5;
      ++count;
    }
  return {x / count / width, y / count / height};
}

// A cube that is bright at the patient's left, in front and above, in any order of axes: where is it in the picture?
TEST(Montage, TheLeftOfThePictureIsTheRightOfThePatient) {
  for (const std::string axes : {"SPL", "IAR", "SRA", "ILP", "SAL"}) {
    const Geometry geometry = along(axes, {12, 20, 20}, {4, 2, 2});
    std::vector<float> voxels(12 * 20 * 20);
    for (std::int64_t d = 0; d < 12; ++d)
      for (std::int64_t h = 0; h < 20; ++h)
        for (std::int64_t w = 0; w < 20; ++w) {
          const std::array<std::int64_t, 3> index{d, h, w};
          bool inside = true;
          for (std::size_t i = 1; i < 3; ++i) {
            const bool towards = axes[i] == 'L' || axes[i] == 'A';
            inside &= towards ? index[i] >= 15 : index[i] < 5;
          }
          if (inside) voxels[static_cast<std::size_t>((d * 20 + h) * 20 + w)] = 1;
        }
    const std::vector<MontageRow> rows{
        {.geometry = geometry, .voxels = voxels, .black = 0, .white = 1, .caption = axes}};
    const Image image = montage(rows, "", {.slices = 1, .tile = 100});
    const auto [x, y] = bright_spot(image, 0, image.height - 102, 100, 100);
    EXPECT_NEAR(x, 0.875, 0.03) << axes;  // left of the patient
    EXPECT_NEAR(y, 0.125, 0.03) << axes;  // in front
  }
}

TEST(Montage, PlanesAndDirections) {
  const auto view = [](const std::string& axes) { return view_of(along(axes, {3, 3, 3}, {5, 1, 1})); };
  EXPECT_EQ(view("SPL").plane, "axial");
  EXPECT_FALSE(view("SPL").flip_slices);
  EXPECT_TRUE(view("IPL").flip_slices);
  EXPECT_EQ(view("PIL").plane, "coronal");
  EXPECT_FALSE(view("PIL").flip_slices);  // from front to back
  EXPECT_EQ(view("RIP").plane, "sagittal");
  EXPECT_TRUE(view("RIP").flip_slices);  // from right to left, and R points right
  EXPECT_EQ(view("LIP").left, 'A');
  EXPECT_EQ(view("LIP").top, 'S');
  EXPECT_FALSE(view("LIP").flip_right || view("LIP").flip_down);
  // A gantry tilted by 20 degrees.
  Geometry tilted = along("SPL", {3, 3, 3}, {5, 1, 1});
  tilted.steps[1] = {0, -0.94, -0.34};
  EXPECT_EQ(view_of(tilted).plane, "axial");
}

TEST(Montage, VoxelsKeepTheirProportions) {
  std::vector<float> voxels(2 * 10 * 30, 1.0F);
  const std::vector<MontageRow> rows{
      {.geometry = along("SPL", {2, 10, 30}, {1, 6, 1}), .voxels = voxels, .black = 0, .white = 1}};
  const Image image = montage(rows, "", {.slices = 2, .tile = 120});  // 60 x 30 mm: high, not wide
  int wide = 0, high = 0;
  for (int x = 0; x < 120; ++x) wide += image.pixel(x, image.height - 30)[0] == 255 ? 1 : 0;
  for (int y = image.height - 122; y < image.height; ++y) high += image.pixel(60, y)[0] == 255 ? 1 : 0;
  EXPECT_EQ(wide, 60);
  EXPECT_NEAR(high, 120, 20);  // less where letters stand
}

TEST(Montage, ManySlicesTakeSeveralLines) {
  std::vector<float> voxels(7 * 4 * 4);
  for (std::size_t i = 0; i < voxels.size(); ++i) voxels[i] = i / 16 == 6 ? 1.0F : 0.0F;  // the last slice is bright
  const std::vector<MontageRow> rows{
      {.geometry = along("SPL", {7, 4, 4}, {1, 1, 1}), .voxels = voxels, .black = 0, .white = 1}};
  const Image image = montage(rows, "", {.slices = 7, .columns = 3, .tile = 64});
  EXPECT_EQ(image.pixel(40, image.height - 30)[0], 255);
  EXPECT_LT(image.pixel(40, image.height - 30 - 66)[0], 20);
  EXPECT_LT(image.pixel(40 + 66, image.height - 30)[0], 20);
}

TEST(Montage, LabelsColourTheirVoxels) {
  std::vector<float> voxels(4 * 4, 0.5F);
  std::vector<std::uint8_t> labels(4 * 4, 0);
  labels[5] = 2;
  const std::vector<MontageRow> rows{
      {.geometry = along("SPL", {1, 4, 4}, {1, 1, 1}), .voxels = voxels, .black = 0, .white = 1, .labels = labels}};
  const Image image = montage(rows, "", {.slices = 1, .tile = 64});
  const auto inside = image.pixel(24, image.height - 66 + 24), outside = image.pixel(44, image.height - 66 + 40);
  EXPECT_EQ(outside[0], 128);
  EXPECT_EQ(outside[2], 128);
  EXPECT_EQ(inside[0], (13 * 128 + 7 * label_colour(2)[0]) / 20);
  EXPECT_EQ(inside[2], (13 * 128 + 7 * label_colour(2)[2]) / 20);
}

TEST(Montage, WhatCannotBeShownIsAUsageError) {
  std::vector<float> voxels(8);
  const Geometry geometry = along("SPL", {2, 2, 2}, {1, 1, 1});
  const auto message = [](const std::vector<MontageRow>& rows, const MontageOptions& options) {
    return fixtures::message_of([&] { montage(rows, "", options); }, ErrorKind::usage);
  };
  EXPECT_NE(message({}, {}).find("nothing to show"), std::string::npos);
  EXPECT_NE(message({{.geometry = geometry, .voxels = std::span(voxels).first(7)}}, {}).find("not as many"),
            std::string::npos);
  EXPECT_NE(message({{.geometry = geometry, .voxels = voxels, .black = 1, .white = 1}}, {}).find("is empty"),
            std::string::npos);
  EXPECT_NE(message({{.geometry = geometry, .voxels = voxels}}, {.slices = 0}).find("0 slices"), std::string::npos);
}

}  // namespace
}  // namespace strata::io
