// SPDX-License-Identifier: Apache-2.0
//
// Narrow interface 3b: where the engine leaves a training's state and finds it again. State is logical: every tensor
// stands at its global shape under its name, a rank writes and reads the boxes of its placements, so any number of
// ranks reads what any other wrote. A checkpoint is there whole or not at all. What the texts hold (the resolved
// configuration, the vocabulary, the step's facts) is the engine's business.
//
// All calls are collective over the store's group and wait; on failure all ranks throw the same error (kind
// checkpoint; environment for the file system).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "strata/io/state_dict.hpp"
#include "strata/runtime/context.hpp"

namespace strata::io {

struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;  // global
};

using CheckpointTexts = std::map<std::string, std::string>;  // "config.yaml", "facts.json", "vocab.txt"

class StoredCheckpoint {
 public:
  virtual ~StoredCheckpoint() = default;
  virtual std::int64_t step() const = 0;
  virtual const std::string& path() const = 0;  // for people
  virtual const CheckpointTexts& texts() const = 0;
  virtual const std::vector<StoredTensor>& tensors() const = 0;

  // Fills every entry's memory (on the device or the host) with its box of the stored tensor of that name. A name that
  // is missing, another type or another global shape: error that names it, with the nearest; nothing has been written
  // then. Damage (a checksum that is wrong) is an error that names file and tensor, and leaves the entries undefined.
  // Stored tensors that nobody asks for are left alone.
  virtual void read(Context& ctx, const StateDict& into) const = 0;
};

class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  // Replaces a checkpoint of the same step. What several ranks hold is the same on each: any one's counts. Together the
  // ranks hold every element of every tensor that one of them names.
  virtual void save(Context& ctx, std::int64_t step, const StateDict& state, const CheckpointTexts& texts) = 0;
  virtual std::vector<std::int64_t> steps() const = 0;  // of the whole ones, ascending
  virtual std::unique_ptr<StoredCheckpoint> open(std::int64_t step) const = 0;
  virtual void remove(std::int64_t step) = 0;
};

}  // namespace strata::io
