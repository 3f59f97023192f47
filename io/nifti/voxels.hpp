// SPDX-License-Identifier: Apache-2.0
//
// Stored voxels to f32. Private to this folder.
#pragma once

#include <span>

#include "io/nifti/byte_source.hpp"
#include "io/nifti/header.hpp"

namespace strata::io {

// Reads the next voxels of the source into `voxels`. Returns how many whole numbers f32 could not hold exactly (of
// unscaled integers wider than 16 bits).
std::int64_t read_voxels(ByteSource& source, const NiftiHeader& header, std::span<float> voxels);

}  // namespace strata::io
