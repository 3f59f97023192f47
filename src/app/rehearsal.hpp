// SPDX-License-Identifier: Apache-2.0
//
// A training step of a run, taken without data, weights or arithmetic: the very same loader, model, trainer and
// optimizer, on a backend whose kernels allocate and compute nothing (HostMemory::rehearsed). So the memory of one rank
// of a large job is known on any machine before it starts. Costs seconds, and host memory for what lists and offsets
// need. What it counts is what the backend's allocator hands out; memory inside libraries (oneDNN, MPI), the program
// and its stacks are not in it.
#pragma once

#include <string>
#include <vector>

#include "app/run_config.hpp"
#include "strata/runtime/backend.hpp"

namespace strata::app {

struct RehearsalOptions {
  int ranks = 1;
  std::int64_t scans = 0;  // of every made-up study; 0: data.max_scans, or one
};

struct TowerParameters {
  std::string name;
  std::int64_t trained = 0, frozen = 0;  // elements
};

struct Rehearsal {
  std::string backend;
  std::vector<std::string> notes;  // for people: what was assumed, what this build lacks
  std::vector<TowerParameters> towers;
  std::int64_t scans = 0, tokens_a_scan = 0, pieces = 0;  // of a study, after patch dropout; of a text, its longest
  std::int64_t micro_batches = 0, rounds = 0;             // of the step on all ranks; on each
  std::int64_t studies = 0;                               // of the step on the first rank
  MemoryReport memory;                                    // of that rank, in the second step: optimizer state exists
  std::int64_t input_bytes = 0;                           // of the loader, in host memory
  double forward_flops = 0;                               // of one forward pass over the step's studies, on all ranks

  // A step of training, by the usual count; and what is executed: with several rounds all but one are encoded twice,
  // and checkpointed activations are computed again.
  double step_flops() const { return 3 * forward_flops; }
  double executed_flops = 0;
};

// Files that the configuration names may be missing: a vocabulary that cannot be read is taken as large as BERT's. A
// backend that was not built: the best there is, with a note. Usage errors of settings as in training.
Rehearsal rehearse(const RunConfig& run, const RehearsalOptions& options);

}  // namespace strata::app
