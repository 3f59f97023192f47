// SPDX-License-Identifier: Apache-2.0
//
// Scans as pictures: a row for each scan, evenly spaced slices beside each other, the way radiologists look at them. In
// axial and coronal slices the left of the picture is the patient's right; axial slices go from the feet up with the
// face on top, coronal ones from front to back, sagittal ones from right to left with the face on the left. Letters at
// the borders of each row's first slice say so. Voxels are shown in their true proportions; a slice is shown in its own
// plane, oblique or tilted as it was measured.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/image/image.hpp"
#include "strata/study/volume.hpp"

namespace strata::io {

struct MontageRow {
  study::Geometry geometry;
  std::span<const float> voxels;  // [D, H, W]
  double black = 0, white = 1;    // values
  std::string caption{};
  std::span<const std::uint8_t> labels{};  // [D, H, W], 0 none; or nothing
};

struct MontageOptions {
  int slices = 12;   // of a scan; all of them if it has fewer
  int columns = 12;  // a scan with more slices takes several lines
  int tile = 192;    // pixels of a slice's longer side
};

// RGB. Rows of no voxels, or more pixels than 2^28: usage error.
Image montage(std::span<const MontageRow> rows, const std::string& title, const MontageOptions& options);

// The colour of a label value: eight of them in turn.
Rgb label_colour(std::uint8_t label);

// How the slices of a volume are laid out.
struct SliceView {
  std::string plane;                  // "axial", "coronal", "sagittal"
  int right_axis = 2, down_axis = 1;  // of [D, H, W]
  bool flip_right = false, flip_down = false, flip_slices = false;
  char left = 'R', right = 'L', top = 'A', bottom = 'P';
};
SliceView view_of(const study::Geometry& geometry);

}  // namespace strata::io
