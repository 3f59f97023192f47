// SPDX-License-Identifier: Apache-2.0
//
// One optimizer step after another: micro-batches in, forward, the objective's loss over the whole step, backward, sums
// over ranks, clipping, new weights. Knows neither what is trained (Objective), nor where studies come from (Loader),
// nor how gradients travel (GradientSync), nor what is done every n steps (training.hpp).
//
// The host waits for a device once a step: behind the gradients, for the loss and their norm. By then the next
// micro-batch is on its way (engine/feed.hpp), so the device goes from one step to the next at once.
//
// A step with one micro-batch a rank runs forward once. With more, all are encoded first without keeping activations
// (the last one keeps them), then each runs forward again with the gradients of its features: activations of one
// micro-batch at a time, (2k − 1)/k forward passes. The micro-batches of a step stay on the device in their stored
// integer type meanwhile.
#pragma once

#include <memory>
#include <vector>

#include "strata/comm/communicator.hpp"
#include "strata/data/loader.hpp"
#include "strata/engine/micro_batch.hpp"
#include "strata/objectives/objective.hpp"
#include "strata/optim/ema.hpp"
#include "strata/optim/optimizer.hpp"
#include "strata/optim/schedule.hpp"
#include "strata/parallel/gradient_sync.hpp"
#include "strata/runtime/step_graphs.hpp"

namespace strata::optim {
struct GradientNorm;
}

namespace strata::engine {

class Feed;

struct TrainerOptions {
  std::uint64_t seed = 0;  // of every random number of the model
  autograd::Checkpointing checkpointing = autograd::Checkpointing::none;
  optim::ScheduleConfig schedule;
  double weight_decay = 0;
  double clip = 0;       // largest norm of the gradient; 0: none
  double ema_decay = 0;  // growing to this (optim::growing_decay)
};

// What the trainer works with; all of it outlives the trainer.
struct TrainerParts {
  Context& ctx;
  objectives::Objective& objective;
  optim::Optimizer& optimizer;
  optim::Ema* ema = nullptr;
  data::Loader& loader;
  TextReading reading;
  objectives::GlobalBatch& global;
  parallel::GradientSync& sync;
  StepGraphs* graphs = nullptr;  // whose context `ctx` is; null: launches are made one by one
};

struct StepSeconds {
  double input = 0, forward = 0, backward = 0, sync = 0, optimizer = 0;
  double total() const { return input + forward + backward + sync + optimizer; }
  StepSeconds& operator+=(const StepSeconds& other);
};

struct StepReport {
  std::int64_t step = 0;  // from 0
  double loss = 0, lr = 0, gradient_norm = 0;
  std::vector<std::pair<std::string, double>> figures;  // of the objective
  std::int64_t studies = 0;                             // of the step, on all ranks
  objectives::Work work;                                // of this rank: one forward pass of everything
  // Of this rank. On a device, `optimizer` is that of the step before, which was on its way when this one began.
  StepSeconds seconds;
};

class Trainer {
 public:
  Trainer(TrainerParts parts, TrainerOptions options);
  ~Trainer();

  // The next step of the loader; all ranks call it. A loss or gradient that is not finite: numeric error, and no weight
  // has changed.
  StepReport step();

  std::int64_t steps_done() const { return done_; }
  void set_steps_done(std::int64_t steps) {
    done_ = steps;
  }  // after a restart; its owner seeks the loader before step()
  const TrainerOptions& options() const { return options_; }
  // Of the loader behind the steps that are done.
  data::LoaderState loader_state() const;

 private:
  class Laps;
  struct Pass;
  void run(Pass& pass);
  void encode(Pass& pass);
  objectives::Outcome judge(Pass& pass);
  void backward(Pass& pass, const objectives::Outcome& outcome);
  void read(Pass& pass, const objectives::Outcome& outcome, const optim::GradientNorm& norm);
  void update(Pass& pass, const Tensor& clip_factor);

  TrainerParts parts_;
  TrainerOptions options_;
  optim::Schedule schedule_;
  std::vector<std::shared_ptr<autograd::Leaf>> leaves_;
  std::int64_t done_ = 0;
  std::unique_ptr<Feed> feed_;
  std::unique_ptr<Laps> laps_;
};

}  // namespace strata::engine
