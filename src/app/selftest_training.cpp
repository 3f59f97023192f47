// SPDX-License-Identifier: Apache-2.0
#include "app/selftest_training.hpp"

#include "strata/base/random.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/nn/init.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/optim/gradient_norm.hpp"
#include "strata/optim/optimizer.hpp"

namespace strata::app {
namespace {

constexpr std::int64_t kStudies = 4, kScans = 10;

models::HierarchicalVit3dConfig small_config() {
  models::HierarchicalVit3dConfig config;
  config.name = "selftest";
  config.image = {4, 16, 16};
  config.patch = {2, 8, 8};
  config.width = 48;
  config.heads = 2;
  config.depth = 4;
  config.max_scans = 6;
  config.joint_width = 16;
  config.slice_blocks = {0};
  config.scan_blocks = {1, 2};
  config.study_blocks = {3};
  return config;
}

Tensor uniform(const Context& ctx, const Shape& shape, double low, double high, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(
        low + (high - low) * static_cast<double>(uniform_float(random_word({seed, RandomPurpose::test}, {}, i))));
  return ctx.tensor(values, shape);
}

models::StudyBatch ragged_batch(const Context& ctx, std::uint64_t seed) {
  models::StudyBatch batch;
  batch.scans = uniform(ctx, {kScans, 1, 4, 16, 16}, 0, 1, seed);
  batch.study_offsets = {0, 2, 3, 6, kScans};
  batch.ordinals = {0, 1, 2, 3};
  models::normalise_intensity(batch, 1);
  return batch;
}

}  // namespace

std::vector<double> train_small_encoder(Context& ctx, DType dtype, int steps, double lr, std::uint64_t seed) {
  models::HlipVisualEncoder model(ctx, dtype, small_config());
  nn::initialise(ctx, model, seed);
  const auto parameters = model.trainable_parameters();
  const std::vector<std::shared_ptr<autograd::Leaf>> leaves(parameters.begin(), parameters.end());
  optim::Optimizer optimizer({}, parameters);
  const models::StudyBatch batch = ragged_batch(ctx, seed);
  const Tensor directions = uniform(ctx, {kStudies, 16}, -0.433, 0.433, seed + 1);  // of length near 1
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    autograd::Tape tape(ctx, {.seed = seed});
    const auto embedding = tape.apply1(ops::L2Normalize{}, {model.forward(tape, batch)});
    const auto target = tape.apply1(ops::L2Normalize{}, {tape.constant(directions)});
    const auto cosines = tape.apply1(ops::Reduce{.everything = true}, {tape.apply1(ops::Mul{}, {embedding, target})});
    const auto loss = tape.apply1(ops::Scale{-1.0 / kStudies}, {cosines});
    losses.push_back(1 + ctx.item(loss.value()));
    tape.backward(loss, leaves);
    const auto norm = optim::gradient_norm(ctx, optimizer, 1, 1);
    optimizer.step(ctx, {.lr = lr, .weight_decay = 0.05}, norm.factor);
    optim::checked_norm(ctx, optimizer, norm);
    optimizer.clear_gradients();
  }
  return losses;
}

}  // namespace strata::app
