// SPDX-License-Identifier: Apache-2.0
#include "io/npy/npy_volume.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "io/npy/npy.hpp"
#include "strata/runtime/context.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

using fixtures::message_of;
using study::Extents3;
using study::Vec3;

class NpyVolume : public testing::Test {
 protected:
  template <class T>
  study::Volume through_file(const Shape& shape, const std::vector<T>& values, const NpyVolumeOptions& options = {}) {
    const Tensor tensor = host_tensor(dtype_of<T>, shape);
    std::copy(values.begin(), values.end(), tensor.data<T>());
    write_npy(folder_.file("v.npy"), tensor);
    return read_npy_volume(folder_.file("v.npy"), options);
  }
  std::string refusal(const Shape& shape, const std::vector<float>& values, const NpyVolumeOptions& options,
                      ErrorKind kind) {
    return message_of([&] { through_file(shape, values, options); }, kind);
  }

  fixtures::ScratchFolder folder_;
};

TEST_F(NpyVolume, SpacingAndAxesAreTheCallers) {
  const std::vector<std::uint8_t> values{0, 1, 2, 3, 4, 255};
  const auto volume = through_file<std::uint8_t>(Shape{1, 2, 3}, values, {{5, 0.5, 0.25}, "SPL"});
  EXPECT_EQ(volume.geometry.extents, (Extents3{1, 2, 3}));
  EXPECT_EQ(volume.geometry.origin, (Vec3{0, 0, 0}));
  EXPECT_EQ(volume.geometry.steps, (std::array<Vec3, 3>{{{0, 0, 5}, {0, -0.5, 0}, {-0.25, 0, 0}}}));
  EXPECT_EQ(volume.voxels, (std::vector<float>{0, 1, 2, 3, 4, 255}));
  EXPECT_FALSE(volume.padding);
  const auto sagittal = through_file<std::uint8_t>(Shape{1, 2, 3}, values, {{1, 2, 3}, "RIA"});
  EXPECT_EQ(sagittal.geometry.steps, (std::array<Vec3, 3>{{{1, 0, 0}, {0, 0, -2}, {0, 3, 0}}}));
}

TEST_F(NpyVolume, SlicesAndLeadingOnes) {
  EXPECT_EQ(through_file<double>(Shape{2, 3}, {1, 2, 3, 4, 5, 6}).geometry.extents, (Extents3{1, 2, 3}));
  const auto five = through_file<std::int16_t>(Shape{1, 1, 2, 1, 3}, {-1024, 2, 3, 4, 5, 6});
  EXPECT_EQ(five.geometry.extents, (Extents3{2, 1, 3}));
  EXPECT_EQ(five.voxels[0], -1024);
  EXPECT_NE(refusal(Shape{2, 1, 1, 3}, std::vector<float>(6), {}, ErrorKind::data).find("is no volume [D, H, W]"),
            std::string::npos);
  EXPECT_NE(refusal(Shape{6}, std::vector<float>(6), {}, ErrorKind::data).find("is no volume"), std::string::npos);
  EXPECT_NE(refusal(Shape{2, 0, 3}, {}, {}, ErrorKind::data).find("is empty"), std::string::npos);
}

TEST_F(NpyVolume, UnmeasuredVoxelsBecomePadding) {
  const auto volume = through_file<float>(Shape{1, 3}, {4, std::nanf(""), -2});
  EXPECT_EQ(volume.padding, -3.0f);
  EXPECT_EQ(volume.voxels, (std::vector<float>{4, -3, -2}));
  EXPECT_NE(refusal(Shape{1, 2}, {NAN, INFINITY}, {}, ErrorKind::data).find("all 2 voxels are NaN"), std::string::npos);
}

TEST_F(NpyVolume, IntegersThatSinglePrecisionDoesNotHoldAreRefused) {
  EXPECT_EQ(through_file<std::int64_t>(Shape{1, 2}, {1 << 24, -(1 << 24)}).voxels[0], 0x1p24f);
  const auto sentence = message_of(
      [&] {
        through_file<std::int32_t>(Shape{1, 2}, {0, (1 << 24) + 1});
      },
      ErrorKind::data);
  EXPECT_NE(sentence.find("voxel 1 is 16777217"), std::string::npos) << sentence;
}

TEST_F(NpyVolume, OptionsAreJudged) {
  for (const char* axes : {"", "SP", "SPLR", "SPS", "SPI", "spl", "XYZ"})
    EXPECT_NE(refusal(Shape{1, 1}, {0}, {{1, 1, 1}, axes}, ErrorKind::usage).find("no three directions"),
              std::string::npos)
        << axes;
  for (const double spacing : {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()})
    EXPECT_NE(refusal(Shape{1, 1}, {0}, {{1, spacing, 1}, "SPL"}, ErrorKind::usage).find("mm is none"),
              std::string::npos);
}

}  // namespace
}  // namespace strata::io
