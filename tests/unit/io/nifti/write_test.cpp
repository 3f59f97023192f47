// SPDX-License-Identifier: Apache-2.0
#include "io/nifti/write.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "io/nifti/nifti.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

const study::Geometry kOblique{
    .extents = {3, 4, 5}, .origin = {10, -20, 30.5}, .steps = {{{0, 0.5, 4}, {0.25, -2, 0}, {-1.5, 0, 0.125}}}};

TEST(NiftiWrite, LabelsAndPlaceComeBack) {
  const fixtures::ScratchFolder folder;
  std::vector<std::uint8_t> voxels(60);
  std::iota(voxels.begin(), voxels.end(), std::uint8_t{0});
  write_nifti(folder.file("a.nii"), kOblique, std::span<const std::uint8_t>(voxels));
  const LabelMap map = read_nifti_labels(folder.file("a.nii"));
  EXPECT_EQ(map.labels.size(), 60U);
  EXPECT_EQ(map.volume.geometry.extents, kOblique.extents);
  EXPECT_EQ(map.volume.geometry.origin, kOblique.origin);
  EXPECT_EQ(map.volume.geometry.steps, kOblique.steps);
  for (std::size_t i = 0; i < 60; ++i) EXPECT_EQ(map.volume.voxels[i], static_cast<float>(i));
}

TEST(NiftiWrite, FloatsComeBack) {
  const fixtures::ScratchFolder folder;
  std::vector<float> voxels(60);
  for (std::size_t i = 0; i < 60; ++i) voxels[i] = 0.3F * static_cast<float>(i) - 7;
  write_nifti(folder.file("a.nii"), kOblique, std::span<const float>(voxels));
  const NiftiImage image = read_nifti(folder.file("a.nii"));
  EXPECT_EQ(image.volumes.front().voxels, voxels);
  EXPECT_EQ(image.affine, AffineSource::sform);
}

TEST(NiftiWrite, WhatDoesNotFitIsAUsageError) {
  const fixtures::ScratchFolder folder;
  const std::vector<std::uint8_t> voxels(59);
  const auto message = fixtures::message_of(
      [&] { write_nifti(folder.file("a.nii"), kOblique, std::span<const std::uint8_t>(voxels)); }, ErrorKind::usage);
  EXPECT_NE(message.find("59 bytes are no volume of 60 voxels"), std::string::npos) << message;
  EXPECT_EQ(folder.entries(), 0);
}

}  // namespace
}  // namespace strata::io
