// SPDX-License-Identifier: Apache-2.0
#include "strata/nn/layers.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/reduce.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/golden_file.hpp"
#include "tests/fixtures/reference_device.hpp"

namespace strata::nn {
namespace {

class LayersTest : public testing::Test {
 protected:
  Tensor wave(const Shape& shape, double frequency = 1) {
    std::vector<double> values(static_cast<std::size_t>(shape.numel()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(frequency * static_cast<double>(i) + 1);
    return device_.f64(values, shape);
  }
  Sequences sequences(const std::vector<std::int64_t>& lengths) {
    std::vector<std::int64_t> keys;
    for (std::size_t i = 0; i < lengths.size(); ++i) keys.insert(keys.end(), {static_cast<std::int64_t>(100 + i), 0});
    return {Segments::from_lengths(device_.ctx, lengths),
            device_.ctx.tensor(keys, {static_cast<std::int64_t>(lengths.size()), 2})};
  }
  fixtures::ReferenceDevice device_;
};

TEST_F(LayersTest, NamesComeFromTheTree) {
  Block block(device_.ctx, DType::f64, {.width = 16, .heads = 2, .hidden = 32});
  std::vector<std::string> names;
  block.name_parameters("visual.trunk.blocks.0");
  for (const auto& parameter : block.parameters()) names.push_back(parameter->name());
  EXPECT_EQ(names,
            (std::vector<std::string>{"visual.trunk.blocks.0.norm1.weight", "visual.trunk.blocks.0.norm1.bias",
                                      "visual.trunk.blocks.0.attn.qkv.weight", "visual.trunk.blocks.0.attn.qkv.bias",
                                      "visual.trunk.blocks.0.attn.proj.weight", "visual.trunk.blocks.0.attn.proj.bias",
                                      "visual.trunk.blocks.0.norm2.weight", "visual.trunk.blocks.0.norm2.bias",
                                      "visual.trunk.blocks.0.mlp.fc1.weight", "visual.trunk.blocks.0.mlp.fc1.bias",
                                      "visual.trunk.blocks.0.mlp.fc2.weight", "visual.trunk.blocks.0.mlp.fc2.bias"}));
  EXPECT_EQ(&block.find("attn.qkv"), &block.attn.qkv);
  EXPECT_EQ(fixtures::message_of([&] { block.find("attn.qvk"); }, ErrorKind::usage),
            "[module] there is no module 'attn.qvk': did you mean 'attn.qkv'?");
}

TEST_F(LayersTest, HeadsMustDivideTheWidth) {
  EXPECT_EQ(fixtures::message_of([&] { Attention(device_.ctx, DType::f64, 100, 3); }, ErrorKind::usage),
            "[attention] 3 heads do not divide a width of 100: choose a number of heads that divides the width");
  EXPECT_EQ(fixtures::message_of([&] { Attention(device_.ctx, DType::f64, 96, 8); }, ErrorKind::usage),
            "[attention] 8 heads of a width of 96 are 12 wide: a head is a multiple of 8 wide, at most 128");
  EXPECT_THROW(Attention(device_.ctx, DType::f64, 96, 0), Error);
}

TEST_F(LayersTest, HooksStandAroundForwardAndBackward) {
  Linear linear(device_.ctx, DType::f64, 2, 2, {});
  linear.weight->set_value(device_.f64({1, 2, 3, 4}, {2, 2}));
  std::vector<std::string> order;
  linear.hooks() = {.before_forward = [&] { order.push_back("before forward"); },
                    .after_forward = [&] { order.push_back("after forward"); },
                    .before = [](Tape& tape, const Variable& x) { return tape.apply1(ops::Scale{10}, {x}); },
                    .after = [](Tape& tape, const Variable& y) { return tape.apply1(ops::Scale{2}, {y}); },
                    .before_backward = [&] { order.push_back("before backward"); },
                    .after_backward = [&] { order.push_back("after backward"); }};
  Tape tape(device_.ctx, {});
  const Variable x = tape.input(device_.f64({1, 1}, {1, 2}));
  const Variable y = linear.forward(tape, x);
  EXPECT_EQ(device_.ctx.to_host<double>(y.value()), (std::vector<double>{60, 140}));
  tape.backward(tape.apply1(ops::Reduce{.everything = true}, {y}));
  EXPECT_EQ(order, (std::vector<std::string>{"before forward", "after forward", "before backward", "after backward"}));
  EXPECT_EQ(device_.ctx.to_host<double>(tape.grad_of(x)), (std::vector<double>{80, 120}));
}

// Two ranks' halves of the heads, products summed at the module border: what tensor parallelism will do, without the
// layer knowing.
TEST_F(LayersTest, HalvesOfTheHeadsAddUpToTheWhole) {
  Attention whole(device_.ctx, DType::f64, 32, 4);
  initialise(device_.ctx, whole, 3);
  whole.proj.bias->set_value(wave({32}));
  const Tensor x = wave({7, 32}, 0.3);
  const Sequences two = sequences({3, 4});
  Tape tape(device_.ctx, {.record = false});
  const Tensor expected = whole.forward(tape, tape.constant(x), two).value();

  Tensor sum;
  for (std::int64_t rank : {0, 1}) {
    Attention part(device_.ctx, DType::f64, 32, 4);
    for (const auto& [from, to] : {std::pair{&whole.qkv, &part.qkv}, std::pair{&whole.proj, &part.proj}}) {
      to->weight->set_value(from->weight->value());
      to->bias->set_value(from->bias->value());
    }
    auto shard = [&](Parameter& parameter, int axis_rows) {  // [3, heads, width] rows, or [heads, width] columns
      const Placement placement = parameter.placement().shard("heads", rank, 2);
      const Tensor full = parameter.value();
      Tensor local;
      if (axis_rows == 1) {  // three slabs of rows
        const Shape split = full.ndim() == 2 ? Shape{3, 32, 32} : Shape{3, 32};
        local = ops::dense(device_.ctx, full.reshape(split).slice(1, rank * 16, rank * 16 + 16));
        local = local.reshape(full.ndim() == 2 ? Shape{48, 32} : Shape{48});
      } else {
        local = ops::dense(device_.ctx, full.slice(1, rank * 16, rank * 16 + 16));
      }
      parameter.place(placement, local);
    };
    shard(*part.qkv.weight, 1);
    shard(*part.qkv.bias, 1);
    shard(*part.proj.weight, 0);
    EXPECT_FALSE(part.qkv.weight->placement().is_whole());
    part.proj.partial_sum = [&](Tape&,
                                const Variable& product) {  // the all-reduce: here the ranks run one after the other
      sum = sum.defined() ? ops::add(device_.ctx, sum, product.value()) : product.value();
      Variable total = product;
      return tape.constant(sum);
    };
    const Tensor out = part.forward(tape, tape.constant(x), two).value();
    if (rank == 1) {
      EXPECT_LE(fixtures::relative_error(device_.ctx, out, expected), 1e-14);
    }
  }
}

TEST_F(LayersTest, AttentionCoreIsReplaceable) {
  struct Zero final : AttentionCore {
    Output forward(Tape& tape, const Variable& q, const Variable&, const Variable&, const Segments&, const Segments&,
                   std::int64_t) override {
      return {tape.apply1(ops::Scale{0}, {tape.constant(ops::dense(tape.ctx(), q.value()))}), {}};
    }
  };
  Attention attention(device_.ctx, DType::f64, 16, 2);
  initialise(device_.ctx, attention, 3);
  attention.proj.bias->set_value(wave({16}));
  attention.set_core(std::make_shared<Zero>());
  Tape tape(device_.ctx, {.record = false});
  const Tensor y = attention.forward(tape, tape.constant(wave({2, 16})), sequences({2})).value();
  EXPECT_LE(fixtures::relative_error(device_.ctx, y.slice(0, 1, 2), wave({16})), 1e-15);
}

TEST_F(LayersTest, DropPathDropsWholeSequencesInTrainingAlone) {
  Block block(device_.ctx, DType::f64, {.width = 16, .heads = 2, .hidden = 32, .drop_path = 0.5, .index = 3});
  initialise(device_.ctx, block, 5);
  const std::vector<std::int64_t> lengths(64, 2);
  const Tensor x = wave({128, 16});
  auto run = [&](bool training, std::uint64_t seed) {
    Tape tape(device_.ctx, {.record = false, .training = training, .seed = seed});
    return device_.ctx.to_host<double>(block.forward(tape, tape.constant(x), sequences(lengths)).value());
  };
  EXPECT_EQ(run(true, 1), run(true, 1));
  EXPECT_NE(run(true, 1), run(true, 2));
  EXPECT_EQ(run(false, 1), run(false, 2));
  const auto in = device_.ctx.to_host<double>(x), out = run(true, 1);
  int untouched = 0;  // both branches dropped: a quarter of the sequences
  for (std::size_t s = 0; s < 64; ++s)
    untouched += std::equal(out.begin() + static_cast<std::ptrdiff_t>(s * 32),
                            out.begin() + static_cast<std::ptrdiff_t>(s * 32 + 32),
                            in.begin() + static_cast<std::ptrdiff_t>(s * 32))
                     ? 1
                     : 0;
  EXPECT_GT(untouched, 5);
  EXPECT_LT(untouched, 30);
}

// The second norm is computed together with the sum before it, and its hooks stand around it all the same.
TEST_F(LayersTest, HooksOfTheSecondNormStandAroundTheFusedSum) {
  Block block(device_.ctx, DType::f64, {.width = 16, .heads = 2, .hidden = 32});
  initialise(device_.ctx, block, 5);
  std::vector<std::string> order;
  const auto note = [&](const char* what) { return [&order, what] { order.push_back(what); }; };
  Hooks& hooks = block.norm2.hooks();
  hooks.before_forward = note("norm2 forward");
  hooks.after_forward = note("norm2 done");
  hooks.before_backward = note("norm2 backward");
  hooks.after_backward = note("norm2 left");
  block.mlp.hooks().before_forward = note("mlp forward");
  block.mlp.hooks().after_backward = note("mlp left");
  block.attn.hooks().after_forward = note("attn done");
  block.attn.hooks().before_backward = note("attn backward");
  Tape tape(device_.ctx, {});
  const Variable y = block.forward(tape, tape.input(wave({5, 16})), sequences({2, 3}));
  tape.backward(tape.apply1(ops::Reduce{.everything = true}, {y}));
  EXPECT_EQ(order, (std::vector<std::string>{"attn done", "norm2 forward", "norm2 done", "mlp forward", "mlp left",
                                             "norm2 backward", "norm2 left", "attn backward"}));
}

TEST_F(LayersTest, ValueHooksOfTheSecondNormSeeTheRowsAndChangeNothing) {
  Block block(device_.ctx, DType::f64, {.width = 16, .heads = 2, .hidden = 32});
  initialise(device_.ctx, block, 5);
  const auto run = [&] {
    for (const auto& parameter : block.parameters()) parameter->clear_grad();
    Tape tape(device_.ctx, {});
    const Variable x = tape.input(wave({5, 16})), y = block.forward(tape, x, sequences({2, 3}));
    tape.backward(tape.apply1(ops::Reduce{.everything = true}, {tape.apply1(ops::Mul{}, {y, y})}));
    std::vector<Tensor> results{y.value(), tape.grad_of(x)};
    for (const auto& parameter : block.parameters()) results.push_back(parameter->grad());
    return results;
  };
  const auto fused = run();
  Tensor seen, normed;
  block.norm2.hooks().before = [&](Tape&, const Variable& h) {
    seen = h.value();
    return h;
  };
  block.norm2.hooks().after = [&](Tape&, const Variable& y) {
    normed = y.value();
    return y;
  };
  const auto hooked = run();
  for (std::size_t i = 0; i < fused.size(); ++i)
    EXPECT_LE(fixtures::relative_error(device_.ctx, fused[i], hooked[i]), 1e-14) << i;
  block.norm2.hooks() = {};
  Tape tape(device_.ctx, {.record = false});
  EXPECT_EQ(device_.ctx.to_host<double>(block.norm2.forward(tape, tape.constant(seen)).value()),
            device_.ctx.to_host<double>(normed));
}

TEST(InitTest, TruncatedNormalHasItsMomentsAndIsKeyedByName) {
  const auto values = initial_values(Init::truncated_normal(0.02), 9, "blocks.0.mlp.fc1.weight", 100000);
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / 1e5;
  double square = 0, inside = 0;
  for (const double v : values) {
    square += v * v / 1e5;
    inside += std::abs(v) < 0.02 ? 1e-5 : 0;
  }
  EXPECT_NEAR(mean, 0, 3e-4);
  EXPECT_NEAR(std::sqrt(square), 0.02, 2e-4);
  EXPECT_NEAR(inside, 0.6827, 5e-3);
  EXPECT_NE(values, initial_values(Init::truncated_normal(0.02), 9, "blocks.1.mlp.fc1.weight", 100000));
  EXPECT_EQ(values, initial_values(Init::truncated_normal(0.02), 9, "blocks.0.mlp.fc1.weight", 100000));

  for (const double v : initial_values(Init::truncated_normal(3), 1, "wide", 10000)) EXPECT_LE(std::abs(v), 2);
  for (const double v : initial_values(Init::uniform(0.25), 1, "u", 1000)) EXPECT_LE(std::abs(v), 0.25);
}

TEST(InitTest, InverseErfInvertsErf) {
  for (const double y : {-0.999999, -0.9, -0.5, -1e-9, 0.0, 0.1, 0.7, 0.99, 0.99999999}) {
    EXPECT_NEAR(std::erf(inverse_erf(y)), y, 4e-16) << y;
    EXPECT_NEAR(inverse_erf(std::erf(inverse_erf(y))), inverse_erf(y), 1e-7) << y;
  }
}

}  // namespace
}  // namespace strata::nn
