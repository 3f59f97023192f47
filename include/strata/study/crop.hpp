// SPDX-License-Identifier: Apache-2.0
//
// Parts of a volume and wider fields of view: voxels are copied or added, never interpolated. Voxels that are added are
// padding: they hold Volume::padding (where a volume has none, its smallest value less 1 becomes it), do not count in
// percentiles, and end as 0 once a window or percentiles have mapped values to [0, 1].
#pragma once

#include "strata/study/volume.hpp"

namespace strata::study {

// Step: the smallest box that holds every measured voxel above a value (MONAI's CropForeground), and a margin on both
// sides of each axis, as far as the volume goes. None above it: data error. Of head CT, bone and a margin for the scalp
// bring heads of every size to one place, whatever the table is made of.
struct CropForeground {
  double above = 0;
  Vec3 margin{};  // mm, of D, H, W
  bool operator==(const CropForeground&) const = default;
};
Volume crop_foreground(const Volume& volume, const CropForeground& step);

// Step: the shorter of H and W is padded to the longer, ⌊half⌋ of it in front.
struct PadSquare {
  bool operator==(const PadSquare&) const = default;
};
Volume pad_square(const Volume& volume, const PadSquare& step = {});

// Step: axes shorter than this are padded to it, ⌊half⌋ in front. 0 keeps an axis.
struct Pad {
  Extents3 extents{};
  bool operator==(const Pad&) const = default;
};
Volume pad(const Volume& volume, const Pad& step);

// Step: axes longer than this keep their central part, from ⌊(n − extent) / 2⌋. 0 keeps an axis.
struct Crop {
  Extents3 extents{};
  bool operator==(const Crop&) const = default;
};
Volume crop(const Volume& volume, const Crop& step);

}  // namespace strata::study
