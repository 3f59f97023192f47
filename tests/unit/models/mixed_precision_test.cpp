// SPDX-License-Identifier: Apache-2.0
//
// What a model of bf16 is made of, and that its f32 masters hold what rounding would lose.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "strata/engine/model_state.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/optim/ema.hpp"
#include "strata/optim/optimizer.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_encoder.hpp"

namespace strata::models {
namespace {

HierarchicalVit3dConfig small() {
  HierarchicalVit3dConfig config = fixtures::small_encoder(2);
  config.scan_blocks = {0};
  config.study_blocks = {1};
  return config;
}

class MixedPrecision : public testing::Test {
 protected:
  MixedPrecision() { nn::initialise(device_.ctx, model_, 17); }

  std::vector<float> wide(const Tensor& x) { return device_.ctx.to_host<float>(ops::cast(device_.ctx, x, DType::f32)); }
  // The value is the master rounded once, and rounding lost something.
  void expect_true_master(const nn::Parameter& p) {
    ASSERT_TRUE(p.has_master()) << p.name();
    EXPECT_EQ(p.master().dtype(), DType::f32) << p.name();
    EXPECT_EQ(wide(ops::cast(device_.ctx, p.master(), DType::bf16)), wide(p.value())) << p.name();
    EXPECT_NE(wide(p.master()), wide(p.value())) << p.name();
  }
  void expect_true_masters() {
    for (const auto& p : model_.parameters())
      if (p->spec().dtype == DType::bf16) expect_true_master(*p);
  }
  void make_gradients() {
    StudyBatch batch;
    batch.study_offsets = {0, 2};
    batch.ordinals = {3};
    std::vector<float> voxels(2 * 4 * 16 * 16);
    for (std::size_t i = 0; i < voxels.size(); ++i) voxels[i] = static_cast<float>(i % 17) * 0.1f - 0.8f;
    batch.scans = device_.ctx.tensor(voxels, {2, 1, 4, 16, 16});
    autograd::Tape tape(device_.ctx, {});
    const Variable embedding = model_.forward(tape, batch);
    EXPECT_EQ(embedding.dtype(), DType::f32);
    tape.backward(tape.apply1(ops::Reduce{.everything = true}, {embedding}));
  }

  fixtures::ReferenceDevice device_;
  HlipVisualEncoder model_{device_.ctx, DType::bf16, small()};
};

TEST_F(MixedPrecision, MatricesAloneAreNarrow) {
  for (const auto& p : model_.parameters()) {
    const bool matrix = p->name().ends_with(".weight") && p->spec().shape.ndim() > 1;
    EXPECT_EQ(p->spec().dtype, matrix ? DType::bf16 : DType::f32) << p->name();
    EXPECT_EQ(p->has_master(), matrix) << p->name();
    EXPECT_EQ(p->master().dtype(), DType::f32) << p->name();
  }
}

TEST_F(MixedPrecision, StartsFromUnroundedMasters) {
  expect_true_masters();
  HlipVisualEncoder f32(device_.ctx, DType::f32, small());
  nn::initialise(device_.ctx, f32, 17);
  for (const auto& p : f32.parameters())
    EXPECT_EQ(wide(model_.parameter(p->name().substr(7))->master()), wide(p->value())) << p->name();
}

TEST_F(MixedPrecision, SavesAndLoadsMasters) {
  const StateDict state = engine::model_state(model_);
  HlipVisualEncoder f32(device_.ctx, DType::f32, small()), again(device_.ctx, DType::bf16, small());
  engine::assign_state(device_.ctx, f32, state);
  engine::assign_state(device_.ctx, again, engine::model_state(f32));
  for (const auto& p : model_.parameters()) {
    const auto& copy = *again.parameter(p->name().substr(7));
    EXPECT_EQ(state.at(p->name()).dtype(), DType::f32) << p->name();
    EXPECT_EQ(wide(copy.master()), wide(p->master())) << p->name();
    EXPECT_EQ(wide(copy.value()), wide(p->value())) << p->name();
  }
}

TEST_F(MixedPrecision, GradientsAreWideAndTheOptimizerStepsMasters) {
  make_gradients();
  for (const auto& p : model_.trainable_parameters()) {
    ASSERT_TRUE(p->grad().defined()) << p->name();
    EXPECT_EQ(p->grad().dtype(), DType::f32) << p->name();
  }
  std::map<std::string, std::vector<float>> before;
  for (const auto& p : model_.trainable_parameters()) before[p->name()] = wide(p->master());
  optim::Optimizer optimizer({}, model_.trainable_parameters());
  optim::Ema ema(device_.ctx, model_.parameters());
  optimizer.step(device_.ctx, {1e-6, 0});  // far below half a unit in the last place of most bf16 weights
  ema.update(device_.ctx, 0.5);
  expect_true_masters();
  std::size_t i = 0;
  for (const auto& p : model_.trainable_parameters()) EXPECT_NE(wide(p->master()), before[p->name()]) << p->name();
  for (const auto& state : ema.state()) {
    if (state.name == "ema.updates") continue;
    const auto& p = *model_.trainable_parameters()[i++];
    EXPECT_EQ(state.value.dtype(), DType::f32) << state.name;
    const auto average = wide(state.value), master = wide(p.master());
    for (std::size_t k = 0; k < average.size(); ++k)
      EXPECT_NEAR(average[k], 0.5f * (before[p.name()][k] + master[k]), 1e-7) << state.name;
  }
}

TEST_F(MixedPrecision, AveragesStandInForMastersAndTheirCopies) {
  optim::Ema ema(device_.ctx, model_.parameters());
  make_gradients();
  optim::Optimizer optimizer({}, model_.trainable_parameters());
  optimizer.step(device_.ctx, {1e-2, 0});
  ema.swap(device_.ctx);
  expect_true_masters();
  ema.swap(device_.ctx);
  expect_true_masters();
}

TEST_F(MixedPrecision, StartsFromA2dMae) {
  const auto filled = [](const Shape& shape, float phase) {
    Tensor host = host_tensor(DType::f32, shape);
    for (std::int64_t i = 0; i < shape.numel(); ++i)
      host.data<float>()[i] = 0.01f * static_cast<float>((i * 31 + 7) % 101) + phase;
    return host;
  };
  std::map<std::string, Tensor> weights;
  weights["pos_embed"] = filled({1, 5, 24}, 0.3f);
  weights["cls_token"] = filled({1, 1, 24}, 0.7f);
  for (const auto& [name, p] : model_.trunk.named_parameters())
    if (name.starts_with("blocks.") || name.starts_with("norm.") || name == "patch_embed.proj.bias")
      weights[name] = filled(p->spec().shape, 0.123f);
  weights["patch_embed.proj.weight"] = filled({24, 3, 8, 8}, -0.2f);
  initialise_from_mae2d(device_.ctx, model_.trunk, weights);
  expect_true_masters();
  const auto& qkv = *model_.trunk.blocks[1]->attn.qkv.weight;
  EXPECT_EQ(wide(qkv.master()), device_.ctx.to_host<float>(weights["blocks.1.attn.qkv.weight"]));
}

}  // namespace
}  // namespace strata::models
