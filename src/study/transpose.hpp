// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "strata/study/volume.hpp"

namespace strata::study {

// Axis a of the result is axis axis[a] of `voxels`, backwards where reversed[axis[a]]. Elements of 1, 2 or 4 bytes.
void transpose(const void* voxels, const Extents3& in, const std::array<int, 3>& axis,
               const std::array<bool, 3>& reversed, std::size_t element, void* out);

}  // namespace strata::study
