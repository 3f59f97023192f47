// SPDX-License-Identifier: Apache-2.0
//
// strata embed for volumes that stand in a file by themselves: weights.safetensors and volume.npy in, embeddings out.
#pragma once

#include <string>

#include "app/model_file.hpp"
#include "app/volume_file.hpp"

namespace strata::app {

struct EmbedVolumeOptions {
  std::string model, volume, to, tensor, backend;
  ModelFileOptions file;
  Intensity intensity;
  int threads = 0;
  bool features = false;  // as the projection gives them, not scaled to unit length
};

void embed_volume(const EmbedVolumeOptions& options);

}  // namespace strata::app
