// SPDX-License-Identifier: Apache-2.0
//
// Weights of other people's models for import: one .safetensors file, or a Hugging Face folder with model.safetensors,
// whole or in shards. Everything is read into host memory in f32, so it costs the model twice for the time of loading.
// Each rank reads for itself: files that nobody writes are read at the file system's pace, and nothing has to agree.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "strata/tensor/tensor.hpp"

namespace strata::app {

struct WeightsFile {
  std::string path;                       // as it was named, for people
  std::map<std::string, Tensor> tensors;  // f32 on the host; a prefix "module." that all have is dropped
  std::vector<std::string> left_out;      // tensors that are no weights: integers
};

// Only names that begin with `prefix`, behind "module.". PyTorch files (.pt, .bin, .ckpt) and folders that hold nothing
// else: usage error that names the tool which turns them into safetensors; NaN and infinity: numeric error.
WeightsFile read_weights(const std::string& path, std::string_view prefix = {});

// "3 tensors of 'x.safetensors' were not used: 'a', 'b', 'c'"; empty for none.
std::string unused_note(const std::string& path, const std::vector<std::string>& names);

}  // namespace strata::app
