// SPDX-License-Identifier: Apache-2.0
#include "app/bench_training.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/matmul.hpp"
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

models::StudyBatch one_study(const Context& ctx, const TrainingCase& what, bool rehearsed) {
  const auto& c = what.config;
  const Shape shape{what.scans, c.channels, c.image[0], c.image[1], c.image[2]};
  models::StudyBatch batch;
  batch.scans = rehearsed ? ctx.empty(DType::f32, shape) : wave(ctx, shape, 1);
  batch.study_offsets = {0, what.scans};
  batch.ordinals = {0};
  return batch;
}

}  // namespace

BenchTraining::BenchTraining(const Context& ctx, const TrainingCase& what, bool rehearsed)
    : what_(what),
      rehearsed_(rehearsed),
      model_(ctx, what.dtype, what.config),
      optimizer_(what.optimizer, model_.trainable_parameters()),
      batch_(one_study(ctx, what, rehearsed)),
      cotangent_(wave(ctx, {model_.embeddings_a_study(), what.config.joint_width}, 1)) {
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

StepSeconds BenchTraining::step(Context& ctx) {
  StepSeconds seconds;
  auto at = Clock::now();
  autograd::Tape tape(ctx, {.checkpointing = what_.checkpointing});
  const auto embedding = model_.forward(tape, batch_);
  const auto direction = tape.constant(ops::cast(ctx, cotangent_, embedding.dtype()).reshape(embedding.shape()));
  const auto loss = tape.apply1(ops::Reduce{.everything = true}, {tape.apply1(ops::Mul{}, {embedding, direction})});
  ctx.synchronise();
  seconds.forward = lap(at);
  tape.backward(loss, leaves_);
  ctx.synchronise();
  seconds.backward = lap(at);
  const auto norm = optim::gradient_norm(ctx, optimizer_, 1, what_.max_norm);
  if (!rehearsed_) optim::checked_norm(ctx, optimizer_, norm);
  seconds.clipping = lap(at);
  optimizer_.step(ctx, {.lr = 1e-5, .weight_decay = 0.2}, norm.factor);
  optimizer_.clear_gradients();
  ctx.synchronise();
  seconds.update = lap(at);
  return seconds;
}

Prediction predict_training(std::string_view backend, int threads, const TrainingCase& what) {
  const WiredBackend wired = wire_backend(backend, {.threads = threads, .rehearsal = true});
  Context ctx = wired.context();
  BenchTraining training(ctx, what, true);
  training.step(ctx);
  wired.backend()->reset_peak();
  training.step(ctx);
  return {wired.backend()->memory(), training.parameters(), training.patch_tokens(), training.forward_flops(),
          training.step_flops()};
}

Ceiling product_ceiling(const WiredBackend& wired, DType dtype) {
  constexpr int kRepeats = 3;
  constexpr std::int64_t kShapes[][2] = {{768, 2304}, {768, 768}, {768, 3072}, {3072, 768}};
  Context ctx = wired.context();
  Ceiling best;
  for (const std::int64_t m : {1176, 9408}) {
    for (const auto& [k, n] : kShapes) {
      const Tensor x = ops::cast(ctx, wave(ctx, {m, k}, 1), dtype), w = ops::cast(ctx, wave(ctx, {n, k}, 1), dtype);
      const Tensor y = ctx.empty(dtype, {m, n});
      const TensorSpec specs[] = {x.spec(), w.spec()};
      const auto* kernel = wired.table().find(ops::Linear{}, specs);
      STRATA_CHECK(kernel != nullptr && kernel->kernel != "reference", environment, "bench",
                   fmt::format("the {} backend has no fast product in {}", wired.table().backend(), name_of(dtype)),
                   "choose another --dtype or --backend, or --no-ceiling");
      for (int i = 0; i < kRepeats; ++i) {
        auto at = Clock::now();
        ops::run_into(ctx, ops::Linear{}, {x, w}, {y});
        ctx.synchronise();
        const double rate = 2.0 * static_cast<double>(m * k * n) / lap(at);
        if (rate > best.flops_per_second) best = {rate, m, k, n};
      }
    }
  }
  return best;
}

}  // namespace strata::app
