// SPDX-License-Identifier: Apache-2.0
//
// Voxels that hold no number. Research formats write NaN, sometimes infinity, where nothing was measured (outside a
// mask or a resampled field of view); resampling would spread it. For readers of such formats, right after decoding.
// DICOM has integers and says its padding itself. One pass; a second one where there is something to fill.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "strata/study/volume.hpp"

namespace strata::study {

// NaN and infinity get one value below every measured voxel, which becomes the volume's padding; a padding that the
// volume had already is used instead. Returns how many there were. All of them: the volume is left as it is.
inline std::int64_t fill_unmeasured(Volume& volume) {
  float lowest = std::numeric_limits<float>::infinity();
  std::int64_t unmeasured = 0;
  for (const float value : volume.voxels) {
    if (!std::isfinite(value))
      ++unmeasured;
    else if (value < lowest)
      lowest = value;
  }
  if (unmeasured == 0 || unmeasured == static_cast<std::int64_t>(volume.voxels.size())) return unmeasured;
  if (!volume.padding) {
    // One below, as padding is used to be told apart; the next number where f32 has no such place.
    const float below = lowest - 1.0f;
    const float next = std::nextafter(lowest, -std::numeric_limits<float>::infinity());
    volume.padding = below < lowest && std::isfinite(below) ? below : std::isfinite(next) ? next : lowest;
  }
  for (float& value : volume.voxels)
    if (!std::isfinite(value)) value = *volume.padding;
  return unmeasured;
}

}  // namespace strata::study
