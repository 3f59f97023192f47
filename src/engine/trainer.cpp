// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/trainer.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <optional>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/optim/gradient_norm.hpp"

namespace strata::engine {
namespace {

using autograd::Tape;
using autograd::Variable;
using objectives::MicroBatch;

class Laps {
 public:
  explicit Laps(Context& ctx) : ctx_(ctx) {}
  // Adds the time since the last lap, the device's work included.
  void lap(double& into) {
    ctx_.synchronise();
    const auto now = std::chrono::steady_clock::now();
    into += std::chrono::duration<double>(now - since_).count();
    since_ = now;
  }

 private:
  Context& ctx_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

// Rows of several micro-batches one behind the other.
Tensor stacked(Context& ctx, const std::vector<Tensor>& parts, const TensorSpec& empty) {
  if (parts.size() == 1 && parts.front().is_dense()) return parts.front();
  std::int64_t rows = 0;
  for (const auto& part : parts) rows += part.dim(0);
  const Tensor all = ctx.empty(empty.dtype, empty.shape.with(0, rows));
  std::int64_t at = 0;
  for (const auto& part : parts) {
    ops::run_into(ctx, ops::Copy{}, {part}, {all.slice(0, at, at + part.dim(0))});
    at += part.dim(0);
  }
  return all;
}

}  // namespace

StepSeconds& StepSeconds::operator+=(const StepSeconds& other) {
  input += other.input;
  forward += other.forward;
  backward += other.backward;
  sync += other.sync;
  optimizer += other.optimizer;
  return *this;
}

// What lives for one step.
struct Trainer::Pass {
  explicit Pass(Context& ctx) : laps(ctx) {}
  StepReport report;
  Laps laps;
  std::vector<MicroBatch> batches;            // of this rank that have studies
  std::vector<std::vector<Tensor>> features;  // [batches][features]
  std::optional<Tape> kept;                   // of the last one, when its round was the step's last
  std::vector<Variable> kept_features;
  std::vector<Tensor> gradients;  // [features] of all rows
};

Trainer::Trainer(TrainerParts parts, TrainerOptions options)
    : parts_(std::move(parts)), options_(std::move(options)), schedule_(options_.schedule) {
  for (const auto& parameter : parts_.objective.trainable_parameters()) leaves_.push_back(parameter);
  STRATA_CHECK(!leaves_.empty(), usage, "trainer", "no parameter is trainable", "free some part of the model");
}

StepReport Trainer::step() {
  Pass pass(parts_.ctx);
  pass.report.step = done_;
  parts_.sync.begin(parts_.ctx);
  pass.laps.lap(pass.report.seconds.sync);
  encode(pass);
  backward(pass);
  update(pass);
  ++done_;
  return std::move(pass.report);
}

void Trainer::encode(Pass& pass) {
  Context& ctx = parts_.ctx;
  for (bool last = false; !last;) {
    auto batch = parts_.loader.next();
    STRATA_CHECK(batch.has_value(), internal, "trainer", "the loader came to an end");
    last = batch->last_of_step();
    pass.report.studies = batch->step_studies;
    const bool empty = batch->empty();
    if (!empty) pass.batches.push_back(micro_batch(ctx, *batch, parts_.reading));
    batch.reset();  // its memory goes back to the loader
    pass.laps.lap(pass.report.seconds.input);
    if (empty) continue;
    const MicroBatch& mine = pass.batches.back();
    const auto work = parts_.objective.work(ctx, mine);
    pass.report.work.tokens += work.tokens;
    pass.report.work.forward_flops += work.forward_flops;
    std::optional<Tape> unkept;
    auto& tape = last ? pass.kept : unkept;
    tape.emplace(ctx, autograd::Mode{.record = last, .checkpointing = options_.checkpointing, .seed = options_.seed});
    const auto features = parts_.objective.encode(*tape, mine);
    auto& values = pass.features.emplace_back();
    for (const auto& feature : features) values.push_back(feature.value());
    if (last) pass.kept_features = features;
    pass.laps.lap(pass.report.seconds.forward);
  }
}

void Trainer::backward(Pass& pass) {
  Context& ctx = parts_.ctx;
  const auto specs = parts_.objective.features();
  std::vector<Tensor> all;
  for (std::size_t f = 0; f < specs.size(); ++f) {
    std::vector<Tensor> parts;
    for (const auto& values : pass.features) parts.push_back(values[f]);
    all.push_back(stacked(ctx, parts, specs[f]));
  }
  pass.features.clear();
  auto outcome = parts_.objective.loss(ctx, parts_.global, all);
  pass.report.loss = ctx.item(outcome.loss);
  pass.report.figures = std::move(outcome.figures);
  STRATA_CHECK(std::isfinite(pass.report.loss), numeric, "trainer",
               fmt::format("the loss of step {} is {}", done_, pass.report.loss),
               "lower the learning rate, warm up longer, or clip gradients; the last checkpoint is whole");
  pass.laps.lap(pass.report.seconds.forward);

  // The micro-batch whose activations are kept goes first and frees them. Leaves are told in the last one.
  std::int64_t row = all.empty() ? 0 : all.front().dim(0);
  const auto run = [&](Tape& tape, const std::vector<Variable>& features, std::int64_t begin, bool last) {
    std::vector<Tape::Root> roots;
    for (std::size_t f = 0; f < features.size(); ++f) {
      const Tensor& gradient = outcome.gradients[f];
      if (gradient.defined()) roots.push_back({features[f], gradient.slice(0, begin, begin + features[f].dim(0))});
    }
    tape.backward(roots, last ? std::span<const std::shared_ptr<autograd::Leaf>>(leaves_)
                              : std::span<const std::shared_ptr<autograd::Leaf>>());
    pass.laps.lap(pass.report.seconds.backward);
  };
  const auto rows_of = [](const MicroBatch& batch) { return batch.studies.studies(); };
  const bool has_kept = pass.kept.has_value();
  std::size_t left = pass.batches.size();
  if (has_kept) {
    row -= rows_of(pass.batches.back());
    run(*pass.kept, pass.kept_features, row, left == 1);
    pass.kept_features.clear();
    pass.kept.reset();
    pass.batches.pop_back();
    --left;
  }
  while (left > 0) {
    const MicroBatch& batch = pass.batches.back();
    row -= rows_of(batch);
    Tape tape(ctx, {.checkpointing = options_.checkpointing, .seed = options_.seed});
    const auto features = parts_.objective.encode(tape, batch);
    pass.laps.lap(pass.report.seconds.forward);
    run(tape, features, row, left == 1);
    pass.batches.pop_back();
    --left;
  }
  if (all.empty() || all.front().dim(0) == 0) {  // no study of this step is ours: others wait for our zeros
    Tape tape(ctx, {.seed = options_.seed});
    run(tape, {}, 0, true);
  }
}

void Trainer::update(Pass& pass) {
  Context& ctx = parts_.ctx;
  parts_.sync.finish(ctx);
  pass.laps.lap(pass.report.seconds.sync);
  const auto norm = optim::gradient_norm(ctx, parts_.optimizer, 1, options_.clip);
  pass.report.gradient_norm = optim::checked_norm(ctx, parts_.optimizer, norm);
  pass.report.lr = schedule_.at(done_);
  parts_.optimizer.step(ctx, {.lr = pass.report.lr, .weight_decay = options_.weight_decay}, norm.factor);
  parts_.optimizer.clear_gradients();
  parts_.objective.after_step(ctx);
  if (parts_.ema != nullptr) parts_.ema->update(ctx, optim::growing_decay(options_.ema_decay, parts_.ema->updates()));
  pass.laps.lap(pass.report.seconds.optimizer);
}

}  // namespace strata::engine
