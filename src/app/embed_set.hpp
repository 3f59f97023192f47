// SPDX-License-Identifier: Apache-2.0
//
// strata embed for sets of shards: every study once through the image tower (and its report through the text tower) on
// any number of ranks, to an HDF5 file (features_file.hpp) whose bytes do not depend on them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/model_file.hpp"

namespace strata::app {

struct EmbedSetOptions {
  std::string model;              // a run's folder, a checkpoint, or weights under published names
  bool best = false;              // of a run's folder
  std::vector<std::string> sets;  // "folder" or "folder:split,split"
  std::string to, backend;
  ModelFileOptions file;
  int threads = 0;
  std::int64_t tokens = 0;  // of a micro-batch; 0: a default
  bool features = false;    // as the projections give them, not scaled to unit length
  bool texts = false;       // embeddings of the reports too
};

void embed_sets(const EmbedSetOptions& options);

}  // namespace strata::app
