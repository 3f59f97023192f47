// SPDX-License-Identifier: Apache-2.0
//
// Voxels and where they lie in the patient. Pure values: no file formats, no devices. World coordinates are RAS+ in mm
// (DICOM writes LPS: its readers negate x and y). Voxels are f32, row major [D, H, W]: D counts slices, H rows of a
// slice, W columns. HU and 16-bit MR values are exact in f32.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace strata::study {

using Vec3 = std::array<double, 3>;
using Extents3 = std::array<std::int64_t, 3>;  // D, H, W

// A regular grid: voxel (d, h, w) has its centre at origin + d·steps[0] + h·steps[1] + w·steps[2]. The steps need not
// be orthogonal (a tilted gantry shears a stack) nor right-handed.
struct Geometry {
  Extents3 extents{};
  Vec3 origin{};
  std::array<Vec3, 3> steps{};
};

struct Volume {
  Geometry geometry;
  std::vector<float> voxels;     // [D, H, W]
  std::optional<float> padding;  // the value of voxels that were not measured (outside a CT's circle), if there are any
};

// Parallel slices of one matrix as a scanner writes them: evenly spaced or not, along the normal or sheared by a tilt.
struct SliceStack {
  std::int64_t height = 0, width = 0;
  Vec3 step_h{}, step_w{};    // mm from a row to the next, from a column to the next
  std::vector<Vec3> origins;  // [D] centre of each slice's first voxel, ascending along the normal step_w × step_h
  std::vector<float> voxels;  // [D, height, width], rescaled: HU in CT
  std::optional<float> padding;

  std::int64_t slices() const { return static_cast<std::int64_t>(origins.size()); }
};

}  // namespace strata::study
