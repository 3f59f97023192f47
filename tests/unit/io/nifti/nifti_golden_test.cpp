// SPDX-License-Identifier: Apache-2.0
// Voxels and affines as nibabel reads them: files it wrote (tools/make_nifti_golden.py) and, where they are, real ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/nifti/nifti.hpp"
#include "tests/fixtures/real_data.hpp"
#include "tests/fixtures/safetensors_bytes.hpp"

namespace strata::io {
namespace {

using nlohmann::json;

const json& golden() {
  static const json values = json::parse(std::ifstream(std::string(STRATA_GOLDEN_DATA) + "/nifti.json"));
  return values;
}

const json& golden_of(const std::string& name) {
  const auto& real = golden().at("real");
  return *std::find_if(real.begin(), real.end(), [&](const json& entry) { return entry.at("name") == name; });
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

// nibabel computes a q-form from f32 quaternions by another formula: 1e-6 relative to the voxels.
void expect_affine(const study::Geometry& geometry, const json& affine) {
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t axis = 0; axis < 3; ++axis)
      EXPECT_NEAR(geometry.steps[2 - axis][row], affine.at(row).at(axis).get<double>(), 1e-6);
    EXPECT_NEAR(geometry.origin[row], affine.at(row).at(3).get<double>(), 1e-6);
  }
}

study::Extents3 extents_of(const json& shape) {
  study::Extents3 extents{1, 1, 1};
  for (std::size_t i = 0; i < std::min<std::size_t>(shape.size(), 3); ++i)
    extents[2 - i] = shape.at(shape.size() - 1 - i).get<std::int64_t>();
  return extents;
}

TEST(NiftiGolden, FilesThatNibabelWrote) {
  EXPECT_EQ(golden().at("written").size(), 24u);
  for (const auto& entry : golden().at("written")) {
    SCOPED_TRACE(entry.at("name").get<std::string>());
    const std::string bytes = from_hex(entry.at("file"));
    const auto image = read_nifti(fixtures::as_bytes(bytes), "x", {.four_d = FourD::split});
    EXPECT_EQ(image.type, entry.at("type"));
    EXPECT_EQ(image.version, entry.at("version"));
    EXPECT_EQ(image.volumes.size(), entry.at("shape").size() == 4 ? 2u : 1u);
    std::vector<float> voxels;
    for (const auto& volume : image.volumes) {
      EXPECT_EQ(volume.geometry.extents, extents_of(entry.at("shape")));
      expect_affine(volume.geometry, entry.at("affine"));
      voxels.insert(voxels.end(), volume.voxels.begin(), volume.voxels.end());
    }
    EXPECT_EQ(voxels, entry.at("voxels").get<std::vector<float>>());
  }
}

void expect_golden(const study::Volume& volume, const json& entry) {
  EXPECT_EQ(volume.geometry.extents, extents_of(entry.at("shape")));
  expect_affine(volume.geometry, entry.at("affine"));
  std::int64_t sum = 0;
  std::uint64_t weighted = 0;
  for (std::size_t i = 0; i < volume.voxels.size(); ++i) {
    const auto value = static_cast<std::int64_t>(volume.voxels[i]);
    sum += value;
    weighted += static_cast<std::uint64_t>(value) * (i + 1);  // modulo 2^64, so that no two voxels may change places
  }
  EXPECT_EQ(sum, entry.at("sum").get<std::int64_t>());
  EXPECT_EQ(weighted, entry.at("weighted_sum").get<std::uint64_t>());
  const auto [least, most] = std::minmax_element(volume.voxels.begin(), volume.voxels.end());
  EXPECT_EQ(*least, entry.at("minimum").get<float>());
  EXPECT_EQ(*most, entry.at("maximum").get<float>());
}

TEST(NiftiGolden, RealImages) {
  const auto brain = fixtures::real_data("nifti_colin27/ch2.nii.gz"),
             head = fixtures::real_data("nifti_cranium_ct/ct.nii.gz");
  if (!brain || !head) GTEST_SKIP() << fixtures::kNoRealData;
  const auto mr = read_nifti(*brain);
  expect_golden(mr.volumes.at(0), golden_of("nifti_colin27/ch2.nii.gz"));
  EXPECT_EQ(mr.type, "uint8");
  EXPECT_TRUE(mr.notes.empty());
  const auto ct = read_nifti(*head);
  expect_golden(ct.volumes.at(0), golden_of("nifti_cranium_ct/ct.nii.gz"));
  EXPECT_EQ(ct.volumes[0].geometry.extents[0], 108);
  EXPECT_TRUE(ct.notes.empty());
}

TEST(NiftiGolden, RealLabelMaps) {
  if (!fixtures::real_data("nifti_colin27") || !fixtures::real_data("nifti_cranium_ct"))
    GTEST_SKIP() << fixtures::kNoRealData;
  const auto image = read_nifti(*fixtures::real_data("nifti_colin27/ch2.nii.gz"));
  for (const auto& entry : golden().at("real")) {
    const auto name = entry.at("name").get<std::string>();
    SCOPED_TRACE(name);
    const auto map = read_nifti_labels(*fixtures::real_data(name));
    expect_golden(map.volume, entry);
    EXPECT_EQ(map.labels.size(), entry.at("distinct").get<std::size_t>());
    const bool other_grid = name.find("JHU") != std::string::npos || name.find("cranium") != std::string::npos;
    EXPECT_EQ(map.volume.geometry.extents != image.volumes[0].geometry.extents, other_grid);
    // The white matter atlas carries a q-form whose slices run the other way.
    const bool mirrored = std::any_of(map.notes.begin(), map.notes.end(), [](const std::string& note) {
      return note.find("mirror images of each other: the s-form was taken") != std::string::npos;
    });
    EXPECT_EQ(mirrored, name.find("JHU") != std::string::npos);
    EXPECT_EQ(map.notes.size(), mirrored ? 1u : 0u);
  }
  const auto aal = read_nifti_labels(*fixtures::real_data("nifti_colin27/aal.nii.gz"));
  EXPECT_EQ(aal.labels.size(), 117u);  // 116 regions and none
  const auto tissues = read_nifti_labels(*fixtures::real_data("nifti_cranium_ct/label_1tissue_2bone.nii.gz"));
  EXPECT_EQ(tissues.labels, (std::vector<std::int64_t>{0, 1, 2}));
}

}  // namespace
}  // namespace strata::io
