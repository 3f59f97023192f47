// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints as files: one HDF5 file a step, FOLDER/step-000000123.h5, in which every tensor stands at its global
// shape under its name. docs/checkpoint_format.md describes every byte. What for: the state of a training, written and
// read by all ranks at once, readable with h5py and h5dump. When not: weights for other programs (safetensors).
//
// Whole or not at all: a checkpoint is written under a temporary name, flushed and renamed; what a killed save leaves
// is ignored and removed by the next save. The bytes follow from step, tensors and texts alone, not from ranks or time.
//
// How: rank 0 makes everything but the tensors' bytes in memory (io/hdf5), all ranks learn who holds which box of which
// tensor, the file is dealt to them in pieces of a few MiB, each is gathered by its rank, summed (XXH3) and written in
// one call at the place HDF5 gave it; a rank that holds a piece itself sends nothing. Reading goes the same way back.
// Memory: a few pieces a rank, one table of names and boxes.
//
// Errors are the same on all ranks: environment for the file system, checkpoint for what is damaged, missing or does
// not fit, usage for state that cannot be stored.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"
#include "strata/io/checkpoint_store.hpp"

namespace strata::io {

class CheckpointFile : public StoredCheckpoint {
 public:
  virtual std::int64_t bytes() const = 0;  // of the file
  // Collective. Reads everything and names the tensors whose bytes are not those that were written; empty: none.
  virtual std::vector<std::string> damaged_tensors() const = 0;
};

// The folder is made by the first save. `comm` takes host tensors and outlives the store and what it opens. Not
// collective; everything that the store does is.
std::unique_ptr<CheckpointStore> open_checkpoints(const std::string& folder, comm::Communicator& comm);

// One file, whatever its name and its step. Collective.
std::unique_ptr<CheckpointFile> open_checkpoint(const std::string& path, comm::Communicator& comm);

// "step-000000123.h5"
std::string checkpoint_file(std::int64_t step);
// Of the checkpoints in a folder, ascending; empty where there is no such folder. Not collective.
std::vector<std::int64_t> checkpoint_steps(const std::string& folder);
bool is_checkpoint_file(const std::string& path);  // does it begin like one?

}  // namespace strata::io
