// SPDX-License-Identifier: Apache-2.0
//
// A trained visual encoder out of a safetensors file with the published names (visual.trunk.…,
// visual.head.proj.weight).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/safetensors/safetensors.hpp"
#include "strata/models/hierarchical_vit3d.hpp"

namespace strata::app {

struct ModelFileOptions {
  std::string variant;              // published name; empty: the file's metadata describe the model
  std::vector<std::string> ignore;  // prefixes of tensors that are not the encoder's
  bool convert = false;             // floating weights of another type become f32
};

// In f32, for evaluation. Reads the metadata `config` (JSON: img, patch, dim, heads, depth, max_num_scans, reg_tokens,
// slice, scan, study, channels, mlp_ratio), `embedding_dim` and `head` (dinotxt_dual) when no variant is named; a
// description that the file's own weights contradict: data error. A text tower that the metadata describe too is passed
// over.
std::unique_ptr<models::HlipVisualEncoder> load_encoder(Context& ctx, const io::SafetensorsFile& file,
                                                        const ModelFileOptions& options);

}  // namespace strata::app
