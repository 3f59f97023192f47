// SPDX-License-Identifier: Apache-2.0
//
// A checkpoint as people name it: a run's folder (its checkpoints/), a folder of checkpoints, or one file.
#pragma once

#include <memory>
#include <string>

#include "strata/comm/communicator.hpp"
#include "strata/engine/checkpointing.hpp"
#include "strata/io/checkpoint_store.hpp"

namespace strata::app {

// What a training leaves in its checkpoints beside the facts, so that they rebuild the model alone.
inline constexpr const char* kConfigText = "config.yaml";
inline constexpr const char* kVocabularyText = "vocab.txt";

struct NamedCheckpoint {
  std::unique_ptr<io::CheckpointStore> store;  // of a folder
  std::unique_ptr<io::StoredCheckpoint> stored;
};

// Of a folder the last one, or the one with the best score (of a loss the lowest). None, or `best` of a single file:
// usage error. Collective over `comm`, which outlives it.
NamedCheckpoint open_named_checkpoint(comm::Communicator& comm, const std::string& path, bool best);

const std::string& checkpoint_text(const io::StoredCheckpoint& stored, const char* name);  // none: checkpoint error
engine::TrainingFacts checkpoint_facts(const io::StoredCheckpoint& stored);

}  // namespace strata::app
