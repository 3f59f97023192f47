// SPDX-License-Identifier: Apache-2.0
//
// Where voxels lie, and volumes that lie as a model wants them: from slices as scanned to a regular grid, and axes
// permuted or flipped to a named orientation. Orientation moves voxels and never interpolates; what interpolates says
// so. Use resample.hpp for another spacing or size. Cost: one pass over the voxels at most, none where slices are
// evenly spaced and not tilted (volume_of then moves them).
//
// Orientation codes have three letters for D, H, W in this order, each the direction in which the index grows: R or L,
// A or P, S or I. The published brain models read "IPR" (SimpleITK's "RPI", which names W, H, D), HeadCT-Foundation
// reads "RAS" (MONAI names the axes in storage order), DICOM's axial slices are "SPL".
#pragma once

#include <string>
#include <string_view>

#include "strata/study/volume.hpp"

namespace strata::study {

Vec3 position_of(const Geometry& geometry, const Vec3& index);       // mm; index [d, h, w], fractions allowed
Vec3 index_of(const Geometry& geometry, const Vec3& position);       // its inverse; coplanar steps: data error
Vec3 spacing_of(const Geometry& geometry);                           // mm, lengths of the steps
std::int64_t voxel_count(const Geometry& geometry);                  // D·H·W
bool is_orthogonal(const Geometry& geometry, double cosine = 1e-3);  // no two steps with a larger |cosine|
std::string orientation_of(const Geometry& geometry);                // nearest code: "SPL"

// Extents above zero, as many voxels as they say, finite and independent steps; else a data error that names `subject`.
void check(const Volume& volume, std::string_view subject);

// A regular volume, and what it was made from.
struct StackedVolume {
  Volume volume;
  std::int64_t source_slices = 0;  // 0: as many as the volume has
  std::int64_t missing_slices = 0;
  bool straightened = false;  // a tilt was taken out by moving slices in their plane
  bool regridded = false;     // slices were resampled onto even spacing
};

// One regular volume with orthogonal steps of a stack of slices.
// - Even: every slice lies within 5 % of the mean gap of its place on an even grid. Else slices are interpolated
//   linearly by their true positions onto a grid from the first slice to (nearly) the last, whose step is the median
//   gap.
// - Tilted: slices drift in their plane by more than a tenth of a pixel beyond what a grid along the normal would. Each
//   slice is then shifted in its plane (linear), and rows or columns are added so that no voxel is lost.
// - Places that hold no measured value get the padding value (of the stack; without one, its smallest value less 1).
//   Interpolation never mixes padding with measured values: there the nearer sample counts.
// - Missing: for each gap, the slices that its neighbourhood (the median of up to five gaps) promises within it.
// Data errors: no slice, slices at one position or not ascending, a gap that would need more than 8 slices for each
// slice there is.
StackedVolume volume_of(SliceStack stack);

// Makes the steps of a sheared volume orthogonal (a tilted gantry's volume that came as one file): slices move in their
// plane until D runs along their normal. As volume_of; a volume that is orthogonal already is returned as it is.
Volume straighten(Volume volume);

// Step: axes permuted and flipped, each to the world axis it is nearest to.
struct Orient {
  std::string axes = "RAS";
  bool operator==(const Orient&) const = default;
};
Volume orient(const Volume& volume, const Orient& step);

// Step: oriented as `axes` says, then the axis of largest spacing comes first and the other two keep their order, so
// that sagittal and coronal scans keep their own plane (HLIP's published rule with axes "IPR"). Spacings within 0.1 %
// count as equal, and of equals the first of D, H, W wins.
struct OwnPlane {
  std::string axes = "IPR";
  bool operator==(const OwnPlane&) const = default;
};
Volume own_plane(const Volume& volume, const OwnPlane& step = {});

}  // namespace strata::study
