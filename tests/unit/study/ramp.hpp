// SPDX-License-Identifier: Apache-2.0
//
// Volumes whose value is a linear function of the position in the patient: whatever moves, flips, crops or interpolates
// voxels must leave that function as it is.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "strata/study/geometry.hpp"

namespace strata::study {

inline float ramp(const Vec3& position) {
  return static_cast<float>(100 + 1.5 * position[0] - 0.75 * position[1] + 2.25 * position[2]);
}

// Calls visit(d, h, w, value) in storage order.
template <class Visit>
void each_voxel(const Volume& volume, const Visit& visit) {
  std::size_t i = 0;
  for (std::int64_t d = 0; d < volume.geometry.extents[0]; ++d)
    for (std::int64_t h = 0; h < volume.geometry.extents[1]; ++h)
      for (std::int64_t w = 0; w < volume.geometry.extents[2]; ++w) visit(d, h, w, volume.voxels[i++]);
}

inline Vec3 index3(std::int64_t d, std::int64_t h, std::int64_t w) {
  return {static_cast<double>(d), static_cast<double>(h), static_cast<double>(w)};
}

inline Volume ramp_volume(const Geometry& geometry) {
  Volume volume{geometry, std::vector<float>(static_cast<std::size_t>(voxel_count(geometry))), {}};
  std::size_t i = 0;
  each_voxel(volume,
             [&](auto d, auto h, auto w, float) { volume.voxels[i++] = ramp(position_of(geometry, index3(d, h, w))); });
  return volume;
}

// Steps of the given lengths along axes that are turned by an angle about all three.
inline Geometry oblique(const Extents3& extents, const Vec3& spacing, double angle = 0.2) {
  const double c = std::cos(angle), s = std::sin(angle);
  return {extents,
          {-20, 35, 7},
          {Vec3{spacing[0] * s, -spacing[0] * s * c, spacing[0] * c * c}, Vec3{0, -spacing[1] * c, -spacing[1] * s},
           Vec3{spacing[2] * c, spacing[2] * s * s, -spacing[2] * s * c}}};
}

// The largest distance from the ramp among voxels at least `margin` voxels from the border, padding left out.
inline double ramp_error(const Volume& volume, std::int64_t margin = 0) {
  double worst = 0;
  const Extents3& n = volume.geometry.extents;
  each_voxel(volume, [&](auto d, auto h, auto w, float value) {
    const bool inside =
        d >= margin && h >= margin && w >= margin && d < n[0] - margin && h < n[1] - margin && w < n[2] - margin;
    if (!inside || (volume.padding && value == *volume.padding)) return;
    worst = std::max(worst, std::abs(static_cast<double>(value - ramp(position_of(volume.geometry, index3(d, h, w))))));
  });
  return worst;
}

}  // namespace strata::study
