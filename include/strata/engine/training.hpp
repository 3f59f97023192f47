// SPDX-License-Identifier: Apache-2.0
//
// A training from its first (or its resumed) step to its last: takes steps, and says when it is time to write numbers
// down, to evaluate, to leave a checkpoint, to stop. What is done then is the caller's. All ranks agree on every
// decision, so that callbacks may be collective. Costs one exchange of two numbers a step.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "strata/engine/trainer.hpp"

namespace strata::engine {

struct TrainingOptions {
  std::int64_t steps = 0;  // of the whole training, counted from its very first
  // Every so many steps; 0: not before the end.
  std::int64_t log_every = 10, eval_every = 0, checkpoint_every = 0;
  double checkpoint_seconds = 0;  // also when so much time has passed; 0: not
  double peak_flops = 0;          // of all ranks together, for the share of it; 0: not said
};

// The steps since the last report, over all ranks.
struct TrainingReport {
  std::int64_t step = 0;  // steps done
  // Under the names metrics have: loss, lr, gradient_norm and the objective's figures of the last step;
  // studies_per_second, tokens_per_second, tflops, share_of_peak; seconds a step of input, forward, backward, sync,
  // optimizer (mean over ranks).
  std::vector<std::pair<std::string, double>> values;
};

struct TrainingEvents {
  std::function<void(const TrainingReport&)> report;
  std::function<void(std::int64_t step)> evaluate;
  std::function<void(std::int64_t step)> checkpoint;  // also before it stops, and after the last step
  std::function<bool()> stop;                         // somebody asks this rank to leave after the step
};

// True: all steps are done. False: it was stopped; what is done is in a checkpoint.
bool train(Trainer& trainer, comm::Communicator& world, const TrainingOptions& options, const TrainingEvents& events);

}  // namespace strata::engine
