// SPDX-License-Identifier: Apache-2.0
//
// Label maps and volumes out, for other programs to look at. NIfTI-1, one file, this machine's byte order, no
// compression, the place in the patient as an s-form. When not: anything that Strata reads again at scale (shards).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "strata/study/volume.hpp"

namespace strata::io {

// [D, H, W]; another number of voxels, or an extent above 32,767, which NIfTI-1 cannot say: usage error. Whole or not
// at all.
void write_nifti(const std::string& path, const study::Geometry& geometry, std::span<const std::uint8_t> voxels);
void write_nifti(const std::string& path, const study::Geometry& geometry, std::span<const float> voxels);

}  // namespace strata::io
