// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/trainer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cmath>
#include <deque>
#include <optional>

#include "engine/feed.hpp"
#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/optim/gradient_norm.hpp"

namespace strata::engine {
namespace {

using autograd::Tape;
using autograd::Variable;
using objectives::MicroBatch;

// What a step's launches follow from: shapes, and where the voxels are.
std::string graph_key(const Fed& fed) {
  if (fed.empty) return "empty";
  const auto& studies = fed.batch.studies;
  std::string key = fmt::format("{} {} {} {}", studies.scans.spec().str(), studies.scans.raw(), fed.last_of_step,
                                fmt::join(studies.study_offsets, ","));
  for (const auto& texts : fed.batch.texts) key += fmt::format(" {}", texts.ids.size());
  return key;
}

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

// Where the time of a step goes. What a device does is measured by events on its stream, and read when somebody has
// waited for it anyway.
class Trainer::Laps {
 public:
  explicit Laps(Context& ctx) : ctx_(ctx) {}

  void begin() { marks_.push_back(mark(nullptr)); }
  void lap(double StepSeconds::*part) { marks_.push_back(mark(part)); }
  // Adds the laps that are over; those of a host's backend always are.
  void settle(StepSeconds& into) {
    for (; marks_.size() > 1; marks_.pop_front()) {
      Mark &from = marks_[0], &to = marks_[1];
      if (!to.event.ready()) return;
      if (to.part == nullptr) continue;
      into.*to.part += to.event.state() == nullptr ? std::chrono::duration<double>(to.time - from.time).count()
                                                   : to.event.state()->seconds_since(*from.event.state());
    }
  }

 private:
  struct Mark {
    Event event;
    std::chrono::steady_clock::time_point time;
    double StepSeconds::*part;  // that the time since the mark before belongs to; null: to none
  };
  Mark mark(double StepSeconds::*part) {
    return {ctx_.backend().record(ctx_.stream()), std::chrono::steady_clock::now(), part};
  }

  Context& ctx_;
  std::deque<Mark> marks_;
};

// What lives for one step.
struct Trainer::Pass {
  StepReport report;
  std::vector<MicroBatch> batches;            // of this rank that have studies
  std::vector<std::vector<Tensor>> features;  // [batches][features]
  std::optional<Tape> kept;                   // of the last one, when its round was the step's last
  std::vector<Variable> kept_features;
};

Trainer::Trainer(TrainerParts parts, TrainerOptions options)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      schedule_(options_.schedule),
      feed_(std::make_unique<Feed>(parts_.ctx, parts_.loader, parts_.reading, parts_.objective, options_.seed)),
      laps_(std::make_unique<Laps>(parts_.ctx)) {
  for (const auto& parameter : parts_.objective.trainable_parameters()) leaves_.push_back(parameter);
  STRATA_CHECK(!leaves_.empty(), usage, "trainer", "no parameter is trainable", "free some part of the model");
}

Trainer::~Trainer() = default;

data::LoaderState Trainer::loader_state() const { return feed_->state(); }

StepReport Trainer::step() {
  Pass pass;
  pass.report.step = done_;
  laps_->begin();
  parts_.sync.begin(parts_.ctx);
  laps_->lap(&StepSeconds::sync);
  run(pass);
  if (parts_.graphs != nullptr) parts_.graphs->end();
  laps_->settle(pass.report.seconds);
  ++done_;
  return std::move(pass.report);
}

// Leaves no tensor of the step behind.
void Trainer::run(Pass& pass) {
  encode(pass);
  const auto outcome = judge(pass);
  backward(pass, outcome);
  parts_.sync.finish(parts_.ctx);
  laps_->lap(&StepSeconds::sync);
  const auto norm = optim::gradient_norm(parts_.ctx, parts_.optimizer, 1, options_.clip);
  laps_->lap(&StepSeconds::optimizer);
  feed_->ahead();
  read(pass, outcome, norm);
  update(pass, norm.factor);
}

void Trainer::encode(Pass& pass) {
  Context& ctx = parts_.ctx;
  bool first = true;
  for (bool last = false; !last; first = false) {
    Fed fed = feed_->next();
    if (first && parts_.graphs != nullptr) parts_.graphs->begin(graph_key(fed));
    last = fed.last_of_step;
    pass.report.studies = fed.step_studies;
    laps_->lap(&StepSeconds::input);
    if (fed.empty) continue;
    MicroBatch& mine = pass.batches.emplace_back(std::move(fed.batch));
    parts_.objective.place(ctx, mine);
    const auto work = parts_.objective.work(mine);
    pass.report.work.tokens += work.tokens;
    pass.report.work.forward_flops += work.forward_flops;
    std::optional<Tape> unkept;
    auto& tape = last ? pass.kept : unkept;
    tape.emplace(ctx, autograd::Mode{.record = last, .checkpointing = options_.checkpointing, .seed = options_.seed});
    const auto features = parts_.objective.encode(*tape, mine);
    auto& values = pass.features.emplace_back();
    for (const auto& feature : features) values.push_back(feature.value());
    if (last) pass.kept_features = features;
    if (!last) feed_->ahead();
    laps_->lap(&StepSeconds::forward);
  }
}

objectives::Outcome Trainer::judge(Pass& pass) {
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
  laps_->lap(&StepSeconds::forward);
  return outcome;
}

// The micro-batch whose activations are kept goes first and frees them. Leaves are told in the last one.
void Trainer::backward(Pass& pass, const objectives::Outcome& outcome) {
  Context& ctx = parts_.ctx;
  const auto run = [&](Tape& tape, const std::vector<Variable>& features, std::int64_t begin, bool last) {
    std::vector<Tape::Root> roots;
    for (std::size_t f = 0; f < features.size(); ++f) {
      const Tensor& gradient = outcome.gradients[f];
      if (gradient.defined()) roots.push_back({features[f], gradient.slice(0, begin, begin + features[f].dim(0))});
    }
    tape.backward(roots, last ? std::span<const std::shared_ptr<autograd::Leaf>>(leaves_)
                              : std::span<const std::shared_ptr<autograd::Leaf>>());
    laps_->lap(&StepSeconds::backward);
  };
  const auto rows_of = [](const MicroBatch& batch) { return batch.studies.studies(); };
  std::int64_t row = 0;
  for (const auto& batch : pass.batches) row += rows_of(batch);
  std::size_t left = pass.batches.size();
  if (left == 0) {  // no study of this step is ours: others wait for our zeros
    Tape tape(ctx, {.seed = options_.seed});
    run(tape, {}, 0, true);
  }
  if (pass.kept) {
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
    laps_->lap(&StepSeconds::forward);
    run(tape, features, row, left == 1);
    pass.batches.pop_back();
    --left;
  }
}

// The host's one wait for the device.
void Trainer::read(Pass& pass, const objectives::Outcome& outcome, const optim::GradientNorm& norm) {
  Context& ctx = parts_.ctx;
  pass.report.loss = ctx.item(outcome.loss);
  STRATA_CHECK(std::isfinite(pass.report.loss), numeric, "trainer",
               fmt::format("the loss of step {} is {}", done_, pass.report.loss),
               "lower the learning rate, warm up longer, or clip gradients; the last checkpoint is whole");
  for (const auto& [name, value] : outcome.figures) pass.report.figures.emplace_back(name, ctx.item(value));
  pass.report.gradient_norm = optim::checked_norm(ctx, parts_.optimizer, norm);
  laps_->settle(pass.report.seconds);
}

void Trainer::update(Pass& pass, const Tensor& clip_factor) {
  Context& ctx = parts_.ctx;
  laps_->begin();  // the host's wait belongs to no part
  pass.report.lr = schedule_.at(done_);
  parts_.optimizer.step(ctx, {.lr = pass.report.lr, .weight_decay = options_.weight_decay}, clip_factor);
  parts_.optimizer.clear_gradients();
  parts_.objective.after_step(ctx);
  if (parts_.ema != nullptr) parts_.ema->update(ctx, optim::growing_decay(options_.ema_decay, parts_.ema->updates()));
  laps_->lap(&StepSeconds::optimizer);
}

}  // namespace strata::engine
