// SPDX-License-Identifier: Apache-2.0
//
// Training steps on the cpu table alone, without the reference backend behind it: an op that it lacks is an error here.
#include <gtest/gtest.h>

#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/optim/ema.hpp"
#include "strata/optim/gradient_norm.hpp"
#include "tests/unit/backends/cpu/machines.hpp"

namespace strata::models {
namespace {

// Everything at once: three levels, register tokens, the head that reads them, patch dropout, drop path.
HierarchicalVit3dConfig everything() {
  HierarchicalVit3dConfig config;
  config.image = {4, 32, 32};
  config.patch = {2, 8, 8};
  config.width = 48;
  config.heads = 3;
  config.depth = 4;
  config.max_scans = 4;
  config.register_tokens = 2;
  config.joint_width = 16;
  config.head = Head::dinotxt;
  config.slice_blocks = {0, 2};
  config.scan_blocks = {1};
  config.study_blocks = {3};
  config.drop_path = 0.3;
  config.patch_dropout = 0.5;
  return config;
}

StudyBatch voxels(const Context& ctx, DType type) {
  StudyBatch batch;
  batch.study_offsets = {0, 3, 4};
  batch.ordinals = {7, 8};
  const Shape shape{4, 1, 4, 32, 32};
  Tensor scans = host_tensor(type, shape);
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    if (type == DType::u8) scans.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(i * 37 % 256);
    if (type == DType::i16) scans.data<std::int16_t>()[i] = static_cast<std::int16_t>(i * 37 % 256);
    if (type == DType::f32) scans.data<float>()[i] = static_cast<float>(i * 37 % 256);
  }
  batch.scans = ctx.upload(scans);
  normalise_intensity(batch, 255);
  return batch;
}

struct Step {
  double loss = 0, norm = 0;
  std::vector<float> weights;
};

Step train(Context& ctx, DType model_type, DType voxel_type, autograd::Checkpointing mode, int steps = 2) {
  HlipVisualEncoder model(ctx, model_type, everything());
  nn::initialise(ctx, model, 5);
  optim::Optimizer optimizer({}, model.trainable_parameters());
  optim::Ema ema(ctx, model.parameters());
  const StudyBatch batch = voxels(ctx, voxel_type);
  Step result;
  for (int i = 0; i < steps; ++i) {
    autograd::Tape tape(ctx, {.checkpointing = mode, .seed = static_cast<std::uint64_t>(i)});
    const auto y = tape.apply1(ops::L2Normalize{}, {model.forward(tape, batch)});
    const auto far = ctx.tensor(test::uniform(y.value().numel(), -1, 1), y.shape());
    const auto loss = tape.apply1(ops::Reduce{.everything = true}, {tape.apply1(ops::Mul{}, {y, tape.constant(far)})});
    result.loss = ctx.item(loss.value());
    std::vector<std::shared_ptr<autograd::Leaf>> order;
    for (const auto& parameter : model.trainable_parameters()) order.push_back(parameter);
    tape.backward(loss, order);
    const auto norm = optim::gradient_norm(ctx, optimizer, 1, 0.5);
    result.norm = optim::checked_norm(ctx, optimizer, norm);
    optimizer.step(ctx, {1e-3, 0.1}, norm.factor);
    optimizer.clear_gradients();
    ema.update(ctx, 0.9);
  }
  for (const auto& parameter : model.trainable_parameters()) {
    const auto values = ctx.to_host<float>(parameter->master());
    result.weights.insert(result.weights.end(), values.begin(), values.end());
  }
  return result;
}

TEST(CpuTable, ServesAWholeStepOfBothPrecisions) {
  for (const CpuIsa isa : test::instruction_sets()) {
    const KernelTable table = make_cpu_table();
    Context ctx(make_cpu_backend({.isa = isa}), table);
    for (const DType voxel : {DType::u8, DType::i16, DType::f32}) {
      const Step wide = train(ctx, DType::f32, voxel, autograd::Checkpointing::none);
      const Step mixed = train(ctx, DType::bf16, voxel, autograd::Checkpointing::none);
      EXPECT_NEAR(mixed.loss, wide.loss, 3e-2) << name_of(isa) << ", " << name_of(voxel);
      EXPECT_NEAR(mixed.norm, wide.norm, 3e-2 * wide.norm) << name_of(isa) << ", " << name_of(voxel);
    }
  }
}

TEST(CpuTable, StepsOfAMixedModelAreTheSameBitsAgainAndInEveryCheckpointingMode) {
  const KernelTable table = make_cpu_table();
  Context ctx(make_cpu_backend(), table);
  const auto weights = [&](autograd::Checkpointing mode) { return train(ctx, DType::bf16, DType::u8, mode).weights; };
  const auto expected = weights(autograd::Checkpointing::none);
  EXPECT_EQ(weights(autograd::Checkpointing::none), expected);
  EXPECT_EQ(weights(autograd::Checkpointing::selective), expected);
  EXPECT_EQ(weights(autograd::Checkpointing::full), expected);
}

}  // namespace
}  // namespace strata::models
