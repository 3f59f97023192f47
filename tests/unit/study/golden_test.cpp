// SPDX-License-Identifier: Apache-2.0
// Geometry and intensities of volumes against SimpleITK, SciPy, MONAI, PyTorch and NumPy. Tolerances are in the unit of
// the values (a few hundred, as HU are) or in levels of the stored integers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "strata/study/profile.hpp"
#include "tests/fixtures/golden_data.hpp"

namespace strata::study {
namespace {

constexpr std::array kCubic{Filter::cubic, Filter::cubic, Filter::cubic};
constexpr std::array kLinear{Filter::linear, Filter::linear, Filter::linear};

class GeometryGolden : public testing::Test {
 protected:
  std::vector<double> numbers(const std::string& name) const {
    const Tensor tensor = file_.load(name);
    std::vector<double> out(static_cast<std::size_t>(tensor.numel()));
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = tensor.dtype() == DType::f64 ? tensor.data<double>()[i] : static_cast<double>(tensor.data<float>()[i]);
    return out;
  }

  Geometry grid(const std::string& name, const Extents3& extents) const {
    const std::vector<double> g = numbers(name);
    const auto row = [&](std::size_t i) { return Vec3{g[3 * i], g[3 * i + 1], g[3 * i + 2]}; };
    return {extents, row(0), {row(1), row(2), row(3)}};
  }

  // On the named grid, else with spacings along the axes of DICOM's axial slices.
  Volume volume(const std::string& name, const Vec3& spacing = {1, 1, 1}) const {
    const auto shape = file_.entry(name).shape.extents();
    const Extents3 extents{shape[0], shape[1], shape[2]};
    Volume v;
    if (file_.find(name + ".grid") != nullptr)
      v.geometry = grid(name + ".grid", extents);
    else
      v.geometry = {extents, {0, 0, 0}, {Vec3{0, 0, spacing[0]}, Vec3{0, -spacing[1], 0}, Vec3{-spacing[2], 0, 0}}};
    for (const double x : numbers(name)) v.voxels.push_back(static_cast<float>(x));
    return v;
  }

  void expect_values(const Volume& got, const std::string& name, double tolerance) const {
    const auto shape = file_.entry(name).shape.extents();
    ASSERT_EQ(got.geometry.extents, (Extents3{shape[0], shape[1], shape[2]})) << name;
    const std::vector<double> expected = numbers(name);
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(got.voxels[i]) - expected[i]));
    EXPECT_LE(worst, tolerance) << name;
    RecordProperty(name, std::to_string(worst));
  }

  void expect_grid(const Geometry& got, const std::string& name) const {
    const Geometry expected = grid(name, got.extents);
    for (std::size_t r = 0; r < 3; ++r) {
      EXPECT_NEAR(got.origin[r], expected.origin[r], 1e-9) << name;
      for (std::size_t a = 0; a < 3; ++a) EXPECT_NEAR(got.steps[a][r], expected.steps[a][r], 1e-9) << name;
    }
  }

  static Volume part(const Volume& whole, const Extents3& from, const Extents3& extents) {
    Volume v;
    v.geometry = whole.geometry;
    v.geometry.extents = extents;
    const Extents3& n = whole.geometry.extents;
    for (std::int64_t d = from[0]; d < from[0] + extents[0]; ++d)
      for (std::int64_t h = from[1]; h < from[1] + extents[1]; ++h)
        for (std::int64_t w = from[2]; w < from[2] + extents[2]; ++w)
          v.voxels.push_back(whole.voxels[static_cast<std::size_t>((d * n[1] + h) * n[2] + w)]);
    return v;
  }

  // The worst difference of a stored scan in [0, 1]; half a level is 1.53e-5.
  double difference(const StoredScan& scan, const std::string& name) const {
    const std::vector<double> expected = numbers(name);
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      std::int16_t stored = 0;
      std::memcpy(&stored, scan.voxels.data() + i * sizeof stored, sizeof stored);
      worst = std::max(worst, std::abs(stored / 32767.0 - expected[i]));
    }
    return worst;
  }

  io::SafetensorsFile file_ = fixtures::golden_data("geometry");
};

StoredScan stored(const std::string& steps, const Volume& volume) {
  return apply(parse_profile("name: test\nvoxels: i16\nsteps:\n" + steps), volume, {})[0];
}

TEST_F(GeometryGolden, ResizingEqualsTorch) {
  const Volume in = volume("torch.in");
  for (const Filter filter : {Filter::linear, Filter::area, Filter::nearest})
    for (const char* size : {"up", "down", "mixed", "one"}) {
      const std::string name = "torch." + std::string(name_of(filter)) + "." + size;
      const auto shape = file_.entry(name).shape.extents();
      const Volume out = resize(in, {{shape[0], shape[1], shape[2]}, {filter, filter, filter}});
      expect_values(out, name, filter == Filter::nearest ? 0 : 2e-4);
    }
}

TEST_F(GeometryGolden, NearestPicksTheSamplesThatTorchPicks) {
  const std::vector<double> table = numbers("torch.nearest.table");
  const auto rows = file_.entry("torch.nearest.table").shape.extents()[0], columns = std::int64_t{50};
  for (std::int64_t row = 0; row < rows; ++row) {
    const double* numbers = table.data() + row * columns;
    const auto n = static_cast<std::int64_t>(numbers[0]), m = static_cast<std::int64_t>(numbers[1]);
    Volume index{{{n, 1, 1}, {}, {Vec3{0, 0, 1}, Vec3{0, 1, 0}, Vec3{1, 0, 0}}}, {}, {}};
    for (std::int64_t i = 0; i < n; ++i) index.voxels.push_back(static_cast<float>(i));
    const Volume picked = resize(index, {{m, 1, 1}, {Filter::nearest, Filter::nearest, Filter::nearest}});
    for (std::int64_t i = 0; i < m; ++i)
      EXPECT_EQ(picked.voxels[static_cast<std::size_t>(i)], static_cast<float>(numbers[2 + i])) << n << " to " << m;
  }
}

TEST_F(GeometryGolden, SpacingEqualsScipy) {
  const Volume in = volume("scipy.in", {2, 1, 1.5});
  for (const auto& [name, mm] : {std::pair{"fine", Vec3{0.9, 0.6, 0.8}}, std::pair{"coarse", Vec3{2.7, 2.0, 3.3}}}) {
    expect_values(to_spacing(in, {mm, kCubic, Align::centers}), std::string("scipy.cubic.") + name, 1e-3);
    expect_values(to_spacing(in, {mm, kLinear, Align::centers}), std::string("scipy.linear.") + name, 2e-4);
  }
  expect_values(resize(in, {{20, 7, 25}, kCubic}), "scipy.cubic.resize", 1e-3);
}

TEST_F(GeometryGolden, ObliqueSpacingEqualsSimpleItk) {
  const Volume in = volume("itk.in");
  for (const auto& [name, filters, tolerance] :
       {std::tuple{"itk.cubic", kCubic, 1e-3}, {"itk.linear", kLinear, 2e-4}}) {
    const Volume out = to_spacing(in, {{1.9, 1.4, 1.25}, filters, Align::centers});
    expect_grid(out.geometry, "itk.grid");
    expect_values(part(out, {12, 4, 7}, {17, 8, 13}), name, tolerance);
  }
}

TEST_F(GeometryGolden, OwnPlaneEqualsTheRuleOnSimpleItk) {
  for (const char* plane : {"axial", "coronal", "sagittal"}) {
    const std::string name = "own_plane." + std::string(plane);
    Volume in = volume("own_plane.in");
    in.geometry = grid(name + ".in.grid", in.geometry.extents);
    const Volume out = own_plane(in);
    expect_values(out, name, 0);
    expect_grid(out.geometry, name + ".grid");
  }
}

TEST_F(GeometryGolden, StraightenedTiltEqualsSimpleItk) {
  const Volume in = volume("tilt.in");
  const Volume out = straighten(in);
  expect_grid(out.geometry, "tilt.grid");
  EXPECT_TRUE(is_orthogonal(out.geometry));
  const std::vector<double> expected = numbers("tilt.out");
  ASSERT_EQ(out.voxels.size(), expected.size());
  std::int64_t compared = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] < -1e5) continue;  // SimpleITK has no value there; ours repeats an edge for half a pixel
    EXPECT_NEAR(static_cast<double>(out.voxels[i]), expected[i], 5e-4);
    ++compared;
  }
  EXPECT_GT(compared, 6 * 15 * 8 - 1);
}

TEST_F(GeometryGolden, UnevenSlicesEqualInterpolationByPosition) {
  const Volume in = volume("uneven.in");
  SliceStack stack;
  stack.height = 4;
  stack.width = 5;
  stack.step_h = {0, -1, 0};
  stack.step_w = {-1, 0, 0};
  for (const double place : numbers("uneven.places")) stack.origins.push_back({2, 3, 10 + place});
  stack.voxels = in.voxels;
  const StackedVolume out = volume_of(stack);
  EXPECT_TRUE(out.regridded);
  EXPECT_FALSE(out.straightened);
  EXPECT_EQ(out.missing_slices, 1);
  expect_values(out.volume, "uneven.out", 2e-4);
}

TEST_F(GeometryGolden, PercentilesEqualNumpy) {
  const std::vector<double> asked = numbers("percentile.asked");
  for (const char* sample : {"gaps", "counts", "negative"}) {
    Volume v;
    for (const double x : numbers("percentile." + std::string(sample) + ".in"))
      v.voxels.push_back(static_cast<float>(x));
    const std::vector<double> expected = numbers("percentile." + std::string(sample) + ".out");
    for (std::size_t i = 0; i < 4; ++i) {
      const Window window = percentile_window(v, {asked[2 * i], asked[2 * i + 1]});
      EXPECT_NEAR(window.low, expected[2 * i], 1e-12 * std::abs(expected[2 * i])) << sample;
      EXPECT_NEAR(window.high, expected[2 * i + 1], 1e-12 * std::abs(expected[2 * i + 1])) << sample;
    }
  }
}

TEST_F(GeometryGolden, BrainMriEqualsThePublishedSteps) {
  const StoredScan scan = stored(
      "  - percentiles: {low: 0.5, high: 99.5}\n  - pad_square: {}\n"
      "  - resize: {extents: [18, 24, 24], filter: [nearest, linear, linear]}\n  - crop: {extents: [0, 20, 20]}",
      volume("head", {5, 2, 2}));
  EXPECT_LE(difference(scan, "published.brain_mri"), 2e-5);
}

TEST_F(GeometryGolden, ChestCtEqualsThePublishedSteps) {
  const std::string start = "  - spacing: {mm: [3, 1, 1]}\n  - windows: [{name: chest, low: -1150, high: 350}]\n";
  const Volume in = volume("chest", {5, 2, 2});
  const StoredScan crop = stored(start + "  - pad: {extents: [24, 16, 23]}\n  - crop: {extents: [24, 16, 23]}", in);
  EXPECT_LE(difference(crop, "published.chest_ct"), 2e-5);
  const StoredScan resized = stored(start + "  - resize: {extents: [24, 16, 23]}", in);
  EXPECT_LE(difference(resized, "published.chest_ct_resize"), 2e-5);
}

TEST_F(GeometryGolden, HeadCtFoundationEqualsMonai) {
  const std::string start =
      "  - orient: {axes: RAS}\n  - spacing: {mm: [1, 1, 1], filter: cubic, align: centers}\n  - crop_foreground: "
      "{above: 0}\n";
  const StoredScan scan =
      stored(start +
                 "  - windows:\n      - name: head\n        channels:\n          - {center: 40, width: 80}\n"
                 "          - {center: 80, width: 200}\n          - {center: 600, width: 2800}\n"
                 "  - resize: {extents: [12, 12, 12], filter: area}",
             volume("head"));
  EXPECT_LE(difference(scan, "published.head_ct_foundation"), 5e-5);
}

}  // namespace
}  // namespace strata::study
