// SPDX-License-Identifier: Apache-2.0
//
// A .npy array as a study's volume: how published volumes (.pt and .npz, brought to .npy by tools/pt_to_npy.py) come
// in. An array says nothing of the patient, so spacing and axes are the caller's to give. Not for arrays that are
// tensors of a model: read_npy reads those. Memory: the array and its voxels in f32.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "strata/study/volume.hpp"

namespace strata::io {

struct NpyVolumeOptions {
  study::Vec3 spacing{1, 1, 1};  // mm along D, H, W
  // Where each of the array's axes runs to: one letter of each pair R L, A P, S I. "SPL" is how axial slices usually
  // lie: slices from the feet up, rows to the back, columns to the patient's left.
  std::string axes = "SPL";
};

// Arrays [D, H, W] and [H, W] (one slice), with any leading extents of 1; the types of read_npy. Its first voxel lies
// in the origin. Voxels that are NaN or infinite become padding (study::fill_unmeasured). Another shape, an empty
// array, no finite voxel, or an integer beyond the 2^24 up to which f32 counts: data error. Options that make no sense:
// usage error.
study::Volume read_npy_volume(const std::string& path, const NpyVolumeOptions& options = {});
study::Volume read_npy_volume(std::span<const std::byte> bytes, const std::string& name,
                              const NpyVolumeOptions& options = {});

}  // namespace strata::io
