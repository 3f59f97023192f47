// SPDX-License-Identifier: Apache-2.0
//
// Volumes for the encoder out of .npy and safetensors files.
#pragma once

#include <optional>
#include <string>

#include "strata/models/model.hpp"

namespace strata::app {

// What a voxel value means. Published encoders take (x − 0.449) / 0.226 of x in [0, 1].
struct Intensity {
  bool raw = false;                  // the values enter the model as they are
  std::optional<double> full_scale;  // the value that stands for x = 1; by default 255 for u8 and 1 for floating values
};

// One study [N, 1, D, H, W] or several [B, N, 1, D, H, W] of u8, i16 or floating voxels (made f32), on the host as [B,
// N, 1, D, H, W]. A safetensors file with several tensors needs a name. Another shape or type, no scans, values outside
// of the intensity's range: data error; NaN: numeric error.
Tensor read_volume(const std::string& path, const std::string& tensor, const Intensity& intensity);

// Study `index` of such a volume as a batch of one.
models::StudyBatch study_batch(const Context& ctx, const Tensor& volume, std::int64_t index,
                               const Intensity& intensity);

}  // namespace strata::app
