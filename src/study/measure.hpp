// SPDX-License-Identifier: Apache-2.0
//
// What a volume holds apart from padding.
#pragma once

#include <vector>

#include "strata/study/volume.hpp"

namespace strata::study {

struct Measured {
  std::int64_t count = 0;   // voxels that are finite and not padding
  float low = 0, high = 0;  // smallest and largest of them; 0 when there are none
};
Measured measure(const std::vector<float>& voxels, const std::optional<float>& padding);

// A value below all measured ones, for voxels that were not measured.
float padding_below(const Measured& measured);

}  // namespace strata::study
