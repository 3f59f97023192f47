// SPDX-License-Identifier: Apache-2.0
//
// Another spacing or another number of voxels, separably along D, H and W. Filters and conventions are those of the
// libraries that published preprocessing uses, so that published weights see what they were trained on:
//   nearest  the sample whose voxel holds the position: torch.nn.functional.interpolate "nearest-exact"
//   linear   two samples an axis, edge repeated: torch "trilinear" with align_corners = False, not antialiased
//   cubic    the cubic B-spline through the samples, edge repeated: scipy.ndimage with order 3 and mode "nearest",
//   which
//            MONAI's Spacing uses; SimpleITK's BSpline away from the edges, where it mirrors. Positions beyond the last
//            sample's centre take its value
//   area     the mean of all samples that a voxel touches: torch "area" (adaptive average pooling), MONAI's Resize
// A position keeps its value's place: geometry follows. Padding (Volume::padding) becomes the smallest measured value
// before anything is interpolated, and the result has none.
// Cost: one pass over what the result depends on; cubic adds a recursive prefilter over the whole volume.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "strata/study/volume.hpp"

namespace strata::study {

enum class Filter : std::uint8_t { nearest, linear, cubic, area };
std::string_view name_of(Filter filter);
Filter parse_filter(std::string_view name);  // unknown name: usage error with the nearest one

// What an axis keeps when its spacing changes: the outer edges of its first and last voxel (torch, HLIP), or the centre
// of its first voxel and the spacing to the last digit (MONAI, SimpleITK).
enum class Align : std::uint8_t { edges, centers };
std::string_view name_of(Align align);
Align parse_align(std::string_view name);

// Step: so many voxels, over the same field of view. 0 keeps an axis.
struct Resize {
  Extents3 extents{};
  std::array<Filter, 3> filters{Filter::linear, Filter::linear, Filter::linear};  // D, H, W
  bool operator==(const Resize&) const = default;
};
Volume resize(const Volume& volume, const Resize& step);

// Step: this spacing in mm; 0 keeps an axis. With n samples of spacing s and the target t,
// edges: ⌊n·s/t⌋ voxels (one at least) over the same field of view, so that their spacing is t or a little more;
// centers: round((n − 1)·s/t + 1) voxels of spacing t exactly, half to even.
struct Spacing {
  Vec3 mm{};
  std::array<Filter, 3> filters{Filter::linear, Filter::linear, Filter::linear};
  Align align = Align::edges;
  bool operator==(const Spacing&) const = default;
};
Volume to_spacing(const Volume& volume, const Spacing& step);

}  // namespace strata::study
