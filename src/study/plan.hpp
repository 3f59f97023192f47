// SPDX-License-Identifier: Apache-2.0
//
// Geometric steps that have not been carried out yet: for each axis of the result, the axis of the source that it is
// made from and the band matrix along it. Adding a step multiplies matrices and moves the geometry; no voxel is
// touched.
#pragma once

#include <array>

#include "strata/study/crop.hpp"
#include "strata/study/geometry.hpp"
#include "strata/study/resample.hpp"
#include "study/axis_map.hpp"

namespace strata::study {

struct Plan {
  Extents3 source{};                 // extents of what is read
  std::array<int, 3> axis{0, 1, 2};  // axis a of the result is made from axis axis[a] of the source
  std::array<AxisMap, 3> maps;       // [a]
  Geometry geometry;                 // of the result
};

Plan plan_for(const Geometry& source);  // that does nothing
void add_map(Plan& plan, std::size_t axis, const AxisMap& map);
void permute(Plan& plan, const std::array<int, 3>& order);  // new axis a is the old axis order[a]

void add(Plan& plan, const Orient& step);
void add(Plan& plan, const OwnPlane& step);
void add(Plan& plan, const Resize& step);
void add(Plan& plan, const Spacing& step);
void add(Plan& plan, const PadSquare& step);
void add(Plan& plan, const Pad& step);
void add(Plan& plan, const Crop& step);

// Axes along which a step needs spline coefficients in place of samples.
std::array<bool, 3> spline_axes(const Resize& step, const Geometry& geometry);
std::array<bool, 3> spline_axes(const Spacing& step, const Geometry& geometry);

bool is_identity(const Plan& plan);   // axes in order, nothing to do
bool is_selection(const Plan& plan);  // voxels are copied or padding
bool is_bijection(const Plan& plan);  // every voxel once, nothing else

// Voxels along an axis at another spacing (Spacing, resample.hpp).
std::int64_t spacing_extent(std::int64_t n, double spacing, double target, Align align);

}  // namespace strata::study
