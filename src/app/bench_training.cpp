// SPDX-License-Identifier: Apache-2.0
#include "app/bench_training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/optim/gradient_norm.hpp"

namespace strata::app {
namespace {

using Clock = std::chrono::steady_clock;

double lap(Clock::time_point& since) {
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - since).count();
  since = now;
  return seconds;
}

// Values in (-bound, bound) that repeat and cost little: a step's time does not depend on them.
Tensor wave(const Context& ctx, const Shape& shape, float bound) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  std::uint32_t state = 1;
  for (auto& value : values) {
    state = state * 1664525u + 1013904223u;
    value = bound * (static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
  }
  return ctx.tensor(values, shape);
}

models::StudyBatch equal_studies(const Context& ctx, const TrainingCase& what, bool rehearsed) {
  const auto& c = what.config;
  const Shape shape{what.studies * what.scans, c.channels, c.image[0], c.image[1], c.image[2]};
  models::StudyBatch batch;
  batch.scans = rehearsed ? ctx.empty(DType::f32, shape) : wave(ctx, shape, 1);
  batch.study_offsets = {0};
  for (std::int64_t b = 0; b < what.studies; ++b) {
    batch.study_offsets.push_back((b + 1) * what.scans);
    batch.ordinals.push_back(b);
  }
  return batch;
}

double bytes_an_element(const optim::OptimizerConfig& config) {
  switch (config.algorithm) {
    case optim::Algorithm::adamw:
    case optim::Algorithm::adam: return 28;
    case optim::Algorithm::sgd: return config.momentum == 0 ? 12 : 20;
    case optim::Algorithm::lion: return 20;
    case optim::Algorithm::lamb: break;
  }
  return 44;
}

}  // namespace

BenchTraining::BenchTraining(const Context& ctx, const TrainingCase& what, bool rehearsed)
    : what_(what),
      rehearsed_(rehearsed),
      model_(ctx, what.dtype, what.config),
      optimizer_(what.optimizer, model_.trainable_parameters()),
      batch_(equal_studies(ctx, what, rehearsed)),
      cotangent_(wave(ctx, {what.studies * model_.embeddings_a_study(), what.config.joint_width}, 1)) {
  Context context = ctx;
  start_weights(context);
  for (const auto& parameter : model_.trainable_parameters()) leaves_.push_back(parameter);
  count_work(context);
}

// Assigning makes the masters of a mixed-precision model.
void BenchTraining::start_weights(Context& ctx) {
  constexpr float kBound = 0.03f;
  for (const auto& parameter : model_.parameters()) {
    const auto& init = parameter->init();
    const Shape& shape = parameter->spec().shape;
    if (parameter->role() == nn::Role::buffer) continue;
    const bool constant = init.kind == nn::Init::Kind::constant;
    parameter->assign(ctx, rehearsed_ ? ctx.empty(DType::f32, shape)
                           : constant ? ops::full(ctx, DType::f32, shape, init.value)
                                      : wave(ctx, shape, kBound));
  }
}

void BenchTraining::count_work(Context& ctx) {
  autograd::Tape tape(ctx, {.record = false});
  const auto layout = model_.layout(tape, model_.choose(tape, batch_));
  const auto stages = model_.chain(batch_, *layout);
  patch_tokens_ = layout->patch_tokens();
  forward_flops_ = models::forward_flops(stages);
  embed_flops_ = stages.front().forward_flops;
}

std::int64_t BenchTraining::parameters() const {
  std::int64_t sum = 0;
  for (const auto& leaf : leaves_) sum += leaf->spec().shape.numel();
  return sum;
}

// What a step reads and writes of parameters by formula: perf/README.md, optimizer steps.
double BenchTraining::optimizer_bytes() const {
  double bytes = 0;
  for (const auto& parameter : model_.trainable_parameters()) {
    const auto elements = static_cast<double>(parameter->spec().shape.numel());
    bytes += elements * bytes_an_element(what_.optimizer);
    if (parameter->has_master()) bytes += elements * static_cast<double>(size_of(parameter->spec().dtype));
  }
  return bytes;
}

StepSeconds BenchTraining::step(Context& ctx) { return step(ctx, Mode::by_part); }
double BenchTraining::whole_step(Context& ctx) { return step(ctx, Mode::whole).total(); }
double BenchTraining::profiled_step(Context& ctx) { return step(ctx, Mode::profiled).total(); }

StepSeconds BenchTraining::step(Context& ctx, Mode mode) {
  StepSeconds seconds;
  ctx.synchronise();
  auto at = Clock::now();
  const auto lap_of = [&](double& part) {
    if (mode == Mode::by_part) ctx.synchronise();
    part = lap(at);
  };
  autograd::Tape tape(ctx, {.checkpointing = what_.checkpointing});
  const auto embedding = model_.forward(tape, batch_);
  const auto direction = tape.constant(ops::cast(ctx, cotangent_, embedding.dtype()).reshape(embedding.shape()));
  const auto loss = tape.apply1(ops::Reduce{.everything = true}, {tape.apply1(ops::Mul{}, {embedding, direction})});
  lap_of(seconds.forward);
  tape.backward(loss, leaves_);
  lap_of(seconds.backward);
  const auto norm = optim::gradient_norm(ctx, optimizer_, 1, what_.max_norm);
  if (!rehearsed_ && mode != Mode::profiled) optim::checked_norm(ctx, optimizer_, norm);  // as training does
  seconds.clipping = lap(at);
  optimizer_.step(ctx, {.lr = 1e-5, .weight_decay = 0.2}, norm.factor);
  optimizer_.clear_gradients();
  ctx.synchronise();
  seconds.update = lap(at);
  return seconds;
}

Prediction predict_training(std::string_view backend, int threads, const TrainingCase& what) {
  const WiredBackend wired =
      wire_backend(backend == "cuda" ? "reference" : backend, {.threads = threads, .rehearsal = true});
  Context ctx = wired.context();
  BenchTraining training(ctx, what, true);
  training.step(ctx);
  wired.backend()->reset_peak();
  training.step(ctx);
  return {wired.backend()->memory(), training.parameters(), training.patch_tokens(),
          training.forward_flops(),  training.step_flops(), training.optimizer_bytes()};
}

}  // namespace strata::app
