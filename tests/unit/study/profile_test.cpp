// SPDX-License-Identifier: Apache-2.0
#include "strata/study/profile.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>

#include "strata/config/node.hpp"
#include "strata/study/unmeasured.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/unit/study/ramp.hpp"

namespace strata::study {
namespace {

using fixtures::message_of;

Profile published(const std::string& name) {
  return parse_profile(
      config::Node::load(std::string(STRATA_GOLDEN_DATA) + "/../../../configs/data/" + name + ".yaml"));
}

std::vector<std::string> published_names() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(STRATA_GOLDEN_DATA) + "/../../../configs/data"))
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  return names;
}

Profile of_steps(const std::string& steps, const std::string& voxels = "u8") {
  return parse_profile("name: test\nvoxels: " + voxels + "\nsteps:\n" + steps);
}

std::string complaint(const std::string& steps) {
  return message_of([&] { of_steps(steps); }, ErrorKind::usage);
}

// Soft tissue in air, with something bright: a head as far as these tests go.
Volume head(const Geometry& geometry) {
  Volume volume = ramp_volume(geometry);
  const Extents3& n = geometry.extents;
  std::size_t i = 0;
  each_voxel(volume, [&](auto d, auto h, auto w, float) {
    const auto from_centre = [](std::int64_t k, std::int64_t extent) {
      return (static_cast<double>(k) + 0.5) / static_cast<double>(extent) * 2 - 1;
    };
    const double r = std::hypot(from_centre(d, n[0]), from_centre(h, n[1]), from_centre(w, n[2]));
    const auto texture = static_cast<float>((d * 7 + h * 3 + w * 5) % 23);
    volume.voxels[i++] = r > 0.95 ? -1000.0f : r > 0.8 ? 900.0f + texture : 20.0f + texture;
  });
  return volume;
}

TEST(Profile, PublishedOnesHaveTheirGrids) {
  const auto names = published_names();
  EXPECT_EQ(names.size(), 9u);
  for (const auto& name : names) EXPECT_EQ(published(name).name, name);
  EXPECT_EQ(grid_of(published("brain_mri")).extents, (Extents3{48, 224, 224}));
  EXPECT_EQ(grid_of(published("head_ct")).extents, (Extents3{48, 224, 224}));
  EXPECT_EQ(grid_of(published("head_ct_small")).extents, (Extents3{24, 96, 96}));
  EXPECT_EQ(grid_of(published("head_ct_quick")).extents, (Extents3{12, 48, 42}));
  EXPECT_EQ(grid_of(published("head_ct_quick")).channels, 3);
  EXPECT_EQ(grid_of(published("chest_ct")).extents, (Extents3{112, 336, 336}));
  EXPECT_EQ(grid_of(published("chest_ct_resize")).extents, (Extents3{112, 336, 336}));
  EXPECT_EQ(grid_of(published("head_ct_foundation")).extents, (Extents3{96, 96, 96}));
  EXPECT_EQ(grid_of(published("head_ct_foundation")).channels, 3);
  EXPECT_EQ(grid_of(published("oai_mri")).extents, (Extents3{40, 224, 224}));
  EXPECT_EQ(grid_of(published("brain_mri")).dtype, DType::u8);
  EXPECT_DOUBLE_EQ(grid_of(published("brain_mri")).value_scale, 1.0 / 255);
  EXPECT_DOUBLE_EQ(grid_of(published("chest_ct")).value_scale, 1.0 / 32767);
}

TEST(Profile, TextIsCanonical) {
  for (const auto& name : published_names()) {
    const Profile profile = published(name);
    const std::string text = text_of(profile);
    EXPECT_EQ(parse_profile(text), profile) << text;
    EXPECT_EQ(text_of(parse_profile(text)), text);
  }
  const Profile one =
      of_steps("  - resize: {filter: linear, extents: [2, 4, 4]}\n  - windows: [{name: a, center: 40, width: 80}]");
  const Profile other = of_steps(
      "  - resize:\n      extents: [2, 4, 4]\n  - windows:\n      - name: a\n        channels:\n          - {low: 0.0, "
      "high: 8e1}");
  EXPECT_EQ(text_of(one), text_of(other));
  EXPECT_NE(text_of(one), text_of(published("head_ct")));
}

TEST(Profile, NamesWhatIsUnknown) {
  EXPECT_NE(complaint("  - resise: {extents: [2, 4, 4]}").find("did you mean 'resize'?"), std::string::npos);
  EXPECT_NE(complaint("  - resize: {extends: [2, 4, 4]}").find("extents"), std::string::npos);
  EXPECT_NE(complaint("  - resize: {extents: [2, 4, 4], filter: linear3}").find("did you mean 'linear'?"),
            std::string::npos);
  EXPECT_NE(complaint("  - spacing: {mm: [1, 1, 1], align: edge}").find("did you mean 'edges'?"), std::string::npos);
  EXPECT_NE(complaint("  - orient: {axes: XYZ}").find("'XYZ'"), std::string::npos);
}

TEST(Profile, ComplaintsSayWhere) {
  for (const char* steps : {"  - resize: {extents: [2, 4, 4], filter: [linear, cube, linear]}",
                            "  - orient: {axes: XYZ}", "  - spacing: {mm: [1, 1, 1], align: edge}"})
    EXPECT_NE(complaint(steps).find("profile:4"), std::string::npos) << complaint(steps);
  fixtures::message_of([] { parse_profile("name: \"a\\nb\"\nsteps: []"); }, ErrorKind::usage);
}

TEST(Profile, RefusesWhatCannotWork) {
  const std::string windows = "  - windows: [{name: a, low: 0, high: 80}]\n",
                    grid = "  - resize: {extents: [2, 4, 4]}\n";
  for (const std::string& steps :
       {grid, windows, windows + windows + grid, grid + windows + "  - pad_square: {}\n  - orient: {axes: RAS}\n",
        windows + "  - resize: {extents: [2, 4, 4], filter: cubic}\n", windows + "  - crop_foreground: {}\n" + grid,
        windows + "  - pad: {extents: [2, 4, 4]}\n", windows + "  - resize: {extents: [2, 4]}\n",
        windows + "  - resize: {extents: [2, 4, -4]}\n", windows + "  - resize: {extents: [2, 4, 0]}\n",
        std::string("  - windows: [{name: a, low: 80, high: 80}]\n") + grid, std::string("  - windows: []\n") + grid,
        std::string("  - windows: [{name: a, low: 0, high: 1}, {name: a, low: 0, high: 2}]\n") + grid,
        std::string("  - percentiles: {low: 99, high: 1}\n") + grid,
        std::string("  - percentiles: {low: 0, high: 101}\n") + grid,
        std::string("  - spacing: {mm: [1, 1, 1], filter: area, align: centers}\n") + windows + grid})
    complaint(steps);
  message_of([&] { of_steps(windows + grid, "f32"); }, ErrorKind::usage);
}

TEST(Profile, EveryPublishedOneStoresItsGrid) {
  ScanTags tags;
  tags.modality = "CT";
  StackedVolume source;
  source.volume = head(oblique({22, 60, 52}, {5, 3, 3.2}));
  source.source_slices = 20;
  source.missing_slices = 2;
  for (const auto& name : published_names()) {
    const Profile profile = published(name);
    const StoredGrid grid = grid_of(profile);
    const auto scans = apply(profile, source, tags);
    ASSERT_FALSE(scans.empty());
    for (const StoredScan& scan : scans) {
      EXPECT_EQ(static_cast<std::int64_t>(scan.voxels.size()), grid.scan_bytes()) << name;
      EXPECT_EQ(scan.geometry.extents, grid.extents);
      EXPECT_EQ(static_cast<std::int64_t>(scan.intensity.size()), grid.channels);
      EXPECT_EQ(scan.modality, "CT");
      EXPECT_EQ(scan.source_slices, 20);
      EXPECT_EQ(scan.missing_slices, 2);
      EXPECT_NE(std::ranges::count_if(scan.voxels, [](std::byte b) { return b != std::byte{0}; }), 0) << name;
    }
  }
  EXPECT_EQ(apply(published("head_ct"), source, tags).size(), 3u);
  EXPECT_EQ(apply(published("head_ct"), source, tags)[1].window, "subdural");
}

// What profiles fuse equals what the steps give one by one, to a rounding level.
TEST(Profile, EqualsItsStepsOneByOne) {
  const Volume source = head(oblique({20, 40, 36}, {5, 2, 2}));
  const std::array in_plane{Filter::nearest, Filter::linear, Filter::linear};
  const auto levels_apart = [](const std::vector<std::byte>& a, const std::vector<std::byte>& b) {
    int worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<int>(a[i]) - static_cast<int>(b[i])));
    return a.size() == b.size() ? worst : 1000;
  };

  const Profile ct = of_steps(
      "  - own_plane: {}\n  - windows: [{name: a, low: 0, high: 80}]\n  - pad_square: {}\n"
      "  - resize: {extents: [24, 32, 32], filter: [nearest, linear, linear]}\n  - crop: {extents: [0, 28, 28]}");
  Volume one = windowed(own_plane(source), {0, 80});
  one = crop(resize(pad_square(one), {{24, 32, 32}, in_plane}), {{0, 28, 28}});
  // pad() marks what it adds below the rest; profiles know that this is 0 in [0, 1]
  const auto stored = apply(ct, source, {});
  EXPECT_LE(levels_apart(stored[0].voxels, quantize(one, DType::u8)), 1);
  EXPECT_EQ(stored[0].geometry.origin, one.geometry.origin);

  const Profile late = of_steps(
      "  - spacing: {mm: [2, 2, 2], filter: cubic, align: centers}\n  - crop_foreground: {above: 0}\n"
      "  - resize: {extents: [16, 16, 16], filter: area}\n  - windows: [{name: a, low: -100, high: 900}]");
  const std::array cubic{Filter::cubic, Filter::cubic, Filter::cubic}, area{Filter::area, Filter::area, Filter::area};
  Volume two = to_spacing(source, {{2, 2, 2}, cubic, Align::centers});
  two = windowed(resize(crop_foreground(two, {0}), {{16, 16, 16}, area}), {-100, 900});
  EXPECT_LE(levels_apart(apply(late, source, {})[0].voxels, quantize(two, DType::u8)), 1);

  const Profile mr = of_steps(
      "  - crop: {extents: [16, 0, 0]}\n  - percentiles: {low: 1, high: 98}\n  - resize: {extents: [20, 20, 20]}");
  Volume three = crop(source, {{16, 0, 0}});
  three = resize(windowed(three, percentile_window(three, {1, 98})), {{20, 20, 20}});
  EXPECT_LE(levels_apart(apply(mr, source, {})[0].voxels, quantize(three, DType::u8)), 1);
}

TEST(Profile, AForegroundsMarginIsInMillimetresAndEndsWithTheVolume) {
  Volume source;
  source.geometry.extents = {6, 10, 12};
  source.geometry.steps = {{{0, 0, 3}, {0, 2, 0}, {1.5, 0, 0}}};
  source.voxels.assign(6 * 10 * 12, 0);
  source.voxels[(2 * 10 + 4) * 12 + 1] = 500;  // D 2, H 4, W 1
  const auto cropped = [&](const Vec3& margin) { return crop_foreground(source, {300, margin}); };
  EXPECT_EQ(cropped({}).geometry.extents, (Extents3{1, 1, 1}));
  // 3 mm are one slice, 5 mm two and a half rows (three, as lround has it), 6 mm four columns, of which one is there.
  const Volume wide = cropped({3, 5, 6});
  EXPECT_EQ(wide.geometry.extents, (Extents3{3, 7, 6}));
  EXPECT_EQ(wide.voxels[(1 * 7 + 3) * 6 + 1], 500);
  EXPECT_EQ(cropped({100, 100, 100}).geometry.extents, source.geometry.extents);
  // Along the axes as they lie when the step comes, whichever way.
  const Volume turned = crop_foreground(own_plane(source, {"RAS"}), {300, {3, 5, 6}});
  EXPECT_EQ(std::ranges::count(turned.voxels, 500), 1);
}

TEST(Profile, WithoutAMarginTheTextIsWhatItWas) {
  const std::string grid = "  - windows: [{name: a, low: 0, high: 80}]\n  - resize: {extents: [2, 4, 4]}";
  const Profile without = of_steps("  - crop_foreground: {above: 7}\n" + grid),
                with = of_steps("  - crop_foreground: {above: 7, margin: [0, 2.5, 4]}\n" + grid);
  EXPECT_EQ(text_of(without).find("margin"), std::string::npos);
  EXPECT_EQ(parse_profile(text_of(with)), with);
  EXPECT_NE(text_of(with), text_of(without));
  EXPECT_NE(complaint("  - crop_foreground: {margin: [0, -1, 0]}\n" + grid).find("-1 lies outside 0"),
            std::string::npos);
}

TEST(Profile, SameBytesEveryTime) {
  const Volume source = head(oblique({20, 40, 36}, {5, 2, 2}));
  for (const char* name : {"head_ct", "head_ct_foundation", "brain_mri"})
    EXPECT_EQ(apply(published(name), source, {})[0].voxels, apply(published(name), source, {})[0].voxels);
}

TEST(Profile, StoredValuesMeanWhatTheirMapSays) {
  const Volume source = head(oblique({12, 20, 20}, {5, 2, 2}));
  const Profile profile =
      of_steps("  - windows: [{name: a, low: -1000, high: 1000}]\n  - resize: {extents: [12, 20, 20]}", "i16");
  const StoredScan scan = apply(profile, source, {})[0];
  for (std::size_t i = 0; i < source.voxels.size(); i += 37) {
    std::int16_t stored = 0;
    std::memcpy(&stored, scan.voxels.data() + i * sizeof stored, sizeof stored);
    EXPECT_NEAR(stored * scan.intensity[0].scale + scan.intensity[0].offset, static_cast<double>(source.voxels[i]),
                0.04);
  }
}

// A CT's padding is no air, and what a profile adds is no tissue: both are stored as 0 and count in no percentile.
TEST(Profile, PaddingIsStoredAsZeroAndCountsNowhere) {
  Volume source = head(oblique({12, 20, 20}, {5, 2, 2}));
  Volume padded = pad(source, {{12, 40, 40}});
  padded.padding = 30000.0f;  // above everything, as some scanners have it
  std::size_t i = 0;
  each_voxel(padded, [&](auto, auto h, auto w, float) {
    const bool inside = h >= 10 && h < 30 && w >= 10 && w < 30;
    float& voxel = padded.voxels[i++];
    if (!inside) voxel = 30000.0f;
  });
  const Profile profile = of_steps(
      "  - percentiles: {low: 2, high: 90}\n  - pad: {extents: [12, 44, 44]}\n  - crop: {extents: [12, 44, 44]}");
  const StoredScan scan = apply(profile, padded, {})[0], alone = apply(profile, source, {})[0];
  EXPECT_EQ(scan.voxels, alone.voxels);
  EXPECT_EQ(scan.intensity[0].scale, alone.intensity[0].scale);

  const Profile interpolating =
      of_steps("  - resize: {extents: [12, 80, 80]}\n  - windows: [{name: a, low: 0, high: 80}]");
  const StoredScan fine = apply(interpolating, padded, {})[0];
  EXPECT_EQ(fine.voxels[40 * 80 + 10], std::byte{0});
}

TEST(Profile, ValuesThatAreNoNumbersAreStoredAsZero) {
  const Volume source = head(oblique({12, 20, 20}, {5, 2, 2}));
  Volume holes = source;
  holes.voxels[17] = std::numeric_limits<float>::quiet_NaN();
  Volume filled = holes;
  EXPECT_EQ(fill_unmeasured(filled), 1);
  const Profile profile =
      of_steps("  - windows: [{name: a, low: -2000, high: 1000}]\n  - resize: {extents: [12, 20, 20]}");
  auto expected = apply(profile, source, {})[0].voxels;
  expected[17] = std::byte{0};
  EXPECT_EQ(apply(profile, filled, {})[0].voxels, expected);
  EXPECT_EQ(apply(profile, holes, {})[0].voxels, expected);
}

// Windows that come after interpolation and before padding: what is added is 0 under every one of them.
TEST(Profile, PaddingAfterLateWindowsIsZero) {
  const Volume source = head(oblique({12, 20, 20}, {5, 2, 2}));
  const std::string start = "  - spacing: {mm: [5, 1, 1]}\n",
                    windows = "  - windows: [{name: a, low: -2000, high: 1000}, {name: b, low: 10, high: 90}]\n",
                    grid = "  - pad: {extents: [12, 48, 48]}\n  - crop: {extents: [10, 48, 36]}\n";
  const auto scans = apply(of_steps(start + windows + grid), source, {});
  const Volume fine = to_spacing(source, {{5, 1, 1}});
  const std::array names{Window{-2000, 1000}, Window{10, 90}};
  for (std::size_t s = 0; s < 2; ++s) {
    Volume unit = windowed(fine, names[s]);
    unit.padding = -1.0f;  // what pad() adds, and quantize() clips to 0
    const auto expected = quantize(crop(pad(unit, {{12, 48, 48}}), {{10, 48, 36}}), DType::u8);
    ASSERT_EQ(scans[s].voxels.size(), expected.size());
    int worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<int>(scans[s].voxels[i]) - static_cast<int>(expected[i])));
    EXPECT_LE(worst, 1);
    EXPECT_EQ(scans[s].voxels[0], std::byte{0});
  }
}

TEST(Profile, AnEmptyForegroundIsAnError) {
  Volume source = head(oblique({12, 20, 20}, {5, 2, 2}));
  std::ranges::fill(source.voxels, -1000.0f);
  message_of([&] { apply(published("head_ct_foundation"), source, {}); }, ErrorKind::data);
}

}  // namespace
}  // namespace strata::study
