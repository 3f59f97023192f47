// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>

#include "strata/study/volume.hpp"

namespace strata::study {

// out[i0, i1, i2] of extents in[axis[0]], in[axis[1]], in[axis[2]]: axis a of the result is axis axis[a] of `voxels`.
// Elements of 1, 2 or 4 bytes.
void transpose(const void* voxels, const Extents3& in, const std::array<int, 3>& axis, std::size_t element, void* out);

}  // namespace strata::study
