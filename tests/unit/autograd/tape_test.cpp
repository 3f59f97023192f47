// SPDX-License-Identifier: Apache-2.0
#include "strata/autograd/tape.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "strata/ops/concat.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/gelu.hpp"
#include "strata/ops/layer_norm.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/reduce.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"

namespace strata::autograd {
namespace {

class TapeTest : public testing::Test {
 protected:
  std::vector<double> host(const Tensor& t) { return device_.ctx.to_host<double>(t); }
  std::shared_ptr<Leaf> leaf(const std::string& name, const std::vector<double>& values) {
    return std::make_shared<Leaf>(name, device_.f64(values, {static_cast<std::int64_t>(values.size())}), true);
  }
  static Variable sum(Tape& tape, const Variable& x) { return tape.apply1(ops::Reduce{.everything = true}, {x}); }

  fixtures::ReferenceDevice device_;
};

TEST_F(TapeTest, SumsTheGradientsOfAValueUsedTwice) {
  Tape tape(device_.ctx, {});
  const Variable x = tape.input(device_.f64({2, 3}, {2}));
  const Variable y = tape.apply1(ops::Add{}, {tape.apply1(ops::Mul{}, {x, x}), x});  // x² + x
  tape.backward(sum(tape, y));
  EXPECT_EQ(host(tape.grad_of(x)), (std::vector<double>{5, 7}));
  EXPECT_EQ(tape.size(), 0u);
}

TEST_F(TapeTest, AddsToALeafOverSeveralBackwards) {
  const auto w = leaf("w", {3});
  for (int i = 0; i < 3; ++i) {
    Tape tape(device_.ctx, {});
    tape.backward(sum(tape, tape.apply1(ops::Mul{}, {tape.leaf(w), tape.constant(device_.f64({2}, {1}))})));
  }
  EXPECT_EQ(host(w->grad()), std::vector<double>{6});
}

TEST_F(TapeTest, AddsIntoABufferThatAPlanPutThere) {
  const auto w = leaf("w", {3, 4});
  const Tensor bucket = device_.f64({0, 0, 0, 0}, {4});
  w->set_grad(bucket.slice(0, 1, 3));
  Tape tape(device_.ctx, {});
  tape.backward(sum(tape, tape.apply1(ops::Scale{5}, {tape.leaf(w)})));
  EXPECT_EQ(host(bucket), (std::vector<double>{0, 5, 5, 0}));
}

TEST_F(TapeTest, OneGradientGivenToTwoInputsIsNotAddedToTwice) {
  const auto a = leaf("a", {1}), b = leaf("b", {1});
  Tape tape(device_.ctx, {});
  const Variable s = tape.apply1(ops::Add{}, {tape.leaf(a), tape.leaf(b)});  // its rule hands the same tensor to both
  tape.backward(sum(tape, tape.apply1(ops::Add{}, {s, tape.leaf(a)})));
  EXPECT_EQ(host(a->grad()), std::vector<double>{2});
  EXPECT_EQ(host(b->grad()), std::vector<double>{1});
}

TEST_F(TapeTest, KeepsNothingWithoutGradient) {
  const std::int64_t before = device_.backend->memory().in_use;
  Tape tape(device_.ctx, {.record = false});
  const auto w = leaf("w", std::vector<double>(1000, 1));
  Variable x = tape.input(device_.f64(std::vector<double>(1000, 1), {1000}));
  for (int i = 0; i < 10; ++i) x = tape.apply1(ops::Mul{}, {x, tape.leaf(w)});
  EXPECT_EQ(tape.size(), 0u);
  EXPECT_LE(device_.backend->memory().in_use - before, 3 * 9000);  // w, x and nothing in between
}

TEST_F(TapeTest, FreesWhatAStepSavedAsBackwardGoes) {
  constexpr std::int64_t kBytes = 8 * 4096;
  Tape tape(device_.ctx, {});
  std::vector<std::int64_t> in_use;
  {
    Variable x = tape.input(device_.f64(std::vector<double>(4096, 1), {4096}));
    for (int i = 0; i < 8; ++i) {
      tape.mark([&] { in_use.push_back(device_.backend->memory().in_use); });
      x = tape.apply1(ops::Gelu{}, {x});
    }
    const Variable total = sum(tape, x);
    x = {};
    tape.backward(total);
  }
  ASSERT_EQ(in_use.size(), 8u);
  for (std::size_t i = 1; i < in_use.size(); ++i) EXPECT_LE(in_use[i], in_use[i - 1] - kBytes + 1024) << i;
}

TEST_F(TapeTest, MemoryIsCountedByWhatItIsFor) {
  const auto now = [&](MemoryKind kind) { return device_.backend->memory().by_kind[static_cast<std::size_t>(kind)]; };
  const std::vector<double> ones(1000, 1);  // 8000 bytes: a block of 8192
  const Tensor data = device_.f64(ones, {1000});
  const auto w = leaf("w", ones);
  {
    Tape tape(device_.ctx, {});
    const Variable y = tape.apply1(ops::Mul{}, {tape.constant(data), tape.leaf(w)});
    const Variable loss = sum(tape, tape.apply1(ops::Mul{}, {y, y}));
    EXPECT_EQ(now(MemoryKind::other), 8192);
    EXPECT_EQ(now(MemoryKind::parameters), 8192);
    EXPECT_EQ(now(MemoryKind::activations), 8192 + 256) << "y and the loss; y² is kept by nobody";
    EXPECT_EQ(now(MemoryKind::work), 0);
    tape.backward(loss);
    EXPECT_EQ(now(MemoryKind::gradients), 8192);
    EXPECT_EQ(now(MemoryKind::work), 0);
    EXPECT_GT(device_.backend->memory().peak_by_kind[static_cast<std::size_t>(MemoryKind::work)], 0);
  }
  EXPECT_EQ(now(MemoryKind::activations), 0);
  w->clear_grad();
  EXPECT_EQ(now(MemoryKind::gradients), 0);
}

TEST_F(TapeTest, FiresReadyOnceInReverseModelOrderWithZerosForUnused) {
  const auto a = leaf("a", {1}), unused = leaf("unused", {1, 1}), b = leaf("b", {1}), frozen = leaf("frozen", {1});
  frozen->set_trainable(false);
  std::vector<std::string> order;
  for (const auto& l : {a, unused, b, frozen})
    l->on_gradient_ready([&](Leaf& ready) {
      EXPECT_TRUE(ready.grad().defined());
      order.push_back(ready.name());
    });
  const std::vector<std::shared_ptr<Leaf>> model{a, unused, b, frozen};
  Tape tape(device_.ctx, {});
  // a is used last, so its gradient is complete first; b's callback must still come first.
  const Variable x = tape.apply1(ops::Mul{}, {tape.leaf(b), tape.leaf(b)});
  tape.backward(sum(tape, tape.apply1(ops::Mul{}, {x, tape.apply1(ops::Mul{}, {tape.leaf(a), tape.leaf(frozen)})})),
                model);
  EXPECT_EQ(order, (std::vector<std::string>{"b", "unused", "a"}));
  EXPECT_EQ(host(unused->grad()), (std::vector<double>{0, 0}));
  EXPECT_FALSE(frozen->grad().defined());
}

TEST_F(TapeTest, ResolvesLeavesAgainInBackward) {
  const auto w = leaf("w", {3});
  Tape tape(device_.ctx, {});
  const Variable x = tape.input(device_.f64({2}, {1}));
  const Variable y = tape.apply1(ops::Mul{}, {x, tape.leaf(w)});
  tape.mark([&] { w->set_value(device_.f64({3}, {1})); });  // gathered again just before it is needed
  const Variable loss = sum(tape, y);
  w->release();
  tape.backward(loss);
  EXPECT_EQ(host(tape.grad_of(x)), std::vector<double>{3});

  w->release();
  EXPECT_NE(fixtures::message_of([&] { (void)w->value(); }, ErrorKind::internal).find("[w] its storage is released"),
            std::string::npos);
}

TEST_F(TapeTest, ColumnBlocksAreViews) {
  Tape tape(device_.ctx, {});
  const Variable x = tape.input(device_.f64({1, 2, 3, 4, 5, 6}, {2, 3}));
  const auto blocks = tape.columns(x, {1, 2});
  EXPECT_EQ(blocks[1].value().storage(), x.value().storage());
  const Tape::Root roots[] = {{blocks[1], device_.f64({1, 2, 3, 4}, {2, 2})}};  // nothing arrives at the first block
  tape.backward(roots);
  EXPECT_EQ(host(tape.grad_of(x)), (std::vector<double>{0, 1, 2, 0, 3, 4}));
}

TEST_F(TapeTest, CustomRulesRunAlwaysWhenAsked) {
  Tape tape(device_.ctx, {});
  int ran = 0;
  const Variable x = tape.input(device_.f64({1}, {1}));
  auto rule = [&](Inputs grads) {
    ++ran;
    return std::vector<Tensor>{grads[0]};
  };
  const Variable in[] = {x};
  (void)tape.custom("silent", in, {x.value()}, rule);
  (void)tape.custom("collective", in, {x.value()}, rule, true);
  tape.backward(sum(tape, x));
  EXPECT_EQ(ran, 1);
}

TEST_F(TapeTest, WrongUseIsSaid) {
  Tape tape(device_.ctx, {});
  const Variable x = tape.input(device_.f64({1}, {1}));
  EXPECT_EQ(fixtures::message_of(
                [&] {
                  tape.apply1(ops::GeluBackward{}, {x, x});
                },
                ErrorKind::internal),
            "[gelu_backward] has no gradient rule but an input wants a gradient: detach the input");
  Tape silent(device_.ctx, {.record = false});
  EXPECT_EQ(fixtures::message_of([&] { silent.backward(x); }, ErrorKind::usage),
            "[backward] this tape does not record: make it with Mode::record = true");
  const Tape::Root roots[] = {{x, device_.f64({1, 2}, {2})}};
  EXPECT_EQ(fixtures::message_of([&] { tape.backward(roots); }, ErrorKind::usage),
            "[backward] a gradient f64[2] for a root f64[1]");
}

TEST_F(TapeTest, AWalkedTapeIsNotUsedAgain) {
  Tape tape(device_.ctx, {});
  const Variable x = tape.input(device_.f64({2}, {1}));
  const Variable y = tape.apply1(ops::Mul{}, {x, x});
  const Variable other = tape.apply1(ops::Scale{3}, {y});
  tape.backward(y);
  EXPECT_EQ(fixtures::message_of([&] { tape.backward(other); }, ErrorKind::usage),
            "[backward] this tape was walked already: give all roots to one call, or use a new tape");
  EXPECT_EQ(fixtures::message_of([&] { tape.apply1(ops::Scale{3}, {y}); }, ErrorKind::usage),
            "[tape] a value is used after backward has walked its tape: use a new tape for a new forward pass");
}

TEST_F(TapeTest, AnErrorInBackwardEmptiesTheTape) {
  Tape tape(device_.ctx, {});
  const Variable x = tape.input(device_.f64({2}, {1}));
  tape.mark([] { fail(ErrorKind::communication, "all reduce", "rank 3 is gone"); });
  const Variable y = tape.apply1(ops::Mul{}, {x, x});
  EXPECT_EQ(fixtures::message_of([&] { tape.backward(y); }, ErrorKind::communication), "[all reduce] rank 3 is gone");
  EXPECT_EQ(tape.size(), 0u);
}

// A small network in every mode: the same bits, less memory.
class CheckpointingTest : public TapeTest {
 protected:
  struct Result {
    std::vector<double> gradients;
    std::int64_t kept;  // bytes after forward
  };

  static Variable layer(Tape& tape, const Variable& x, const std::shared_ptr<Leaf>& w,
                        const std::shared_ptr<Leaf>& gamma) {
    const Variable normed = tape.apply1(ops::LayerNorm{}, {x, tape.leaf(gamma), Variable()});
    return tape.apply1(ops::Add{},
                       {x, tape.apply1(ops::Gelu{}, {tape.apply1(ops::Linear{}, {normed, tape.leaf(w), Variable()})})});
  }

  Result run(Checkpointing mode) {
    std::vector<double> values;
    for (int i = 0; i < 64; ++i) values.push_back(std::sin(i));
    const auto w = std::make_shared<Leaf>("w", device_.f64(values, {8, 8}), true);
    const auto gamma = leaf("gamma", {1, 2, 3, 4, 5, 6, 7, 8});
    const auto bias = leaf("bias", {1, 1, 1, 1, 1, 1, 1, 1});
    std::vector<std::string> ready;
    for (const auto& l : {w, gamma, bias}) l->on_gradient_ready([&](Leaf& done) { ready.push_back(done.name()); });
    std::vector<double> rows;
    for (int i = 0; i < 64 * 8; ++i) rows.push_back(std::cos(3 * i));
    Tape tape(device_.ctx, {.checkpointing = mode});
    Variable x = tape.input(device_.f64(rows, {64, 8}));
    const Variable first = x;
    x = tape.apply1(ops::Add{}, {x, tape.leaf(bias)});
    for (int i = 0; i < 4; ++i) {
      const Variable in[] = {x};
      x = tape.checkpoint("layer", in,
                          [&](Tape& inner, Tape::Span v) { return Tape::Variables{layer(inner, v[0], w, gamma)}; })
              .front();
    }
    const Variable loss = sum(tape, tape.apply1(ops::Mul{}, {x, x}));
    x = {};
    Result result{{}, device_.backend->memory().in_use};
    const std::vector<std::shared_ptr<Leaf>> model{w, gamma, bias};
    tape.backward(loss, model);
    EXPECT_EQ(ready, (std::vector<std::string>{"bias", "gamma", "w"}));
    for (const Tensor& g : {w->grad(), gamma->grad(), bias->grad(), tape.grad_of(first)})
      for (const double v : host(g)) result.gradients.push_back(v);
    return result;
  }
};

TEST_F(CheckpointingTest, EveryModeGivesTheSameBitsInLessMemory) {
  const Result none = run(Checkpointing::none), selective = run(Checkpointing::selective),
               full = run(Checkpointing::full);
  EXPECT_EQ(none.gradients, selective.gradients);
  EXPECT_EQ(none.gradients, full.gradients);
  EXPECT_LT(selective.kept, none.kept);
  EXPECT_LT(full.kept, selective.kept);
}

// Counts how often each op runs.
class CountingTest : public TapeTest {
 protected:
  std::map<std::string, int> calls_;
  KernelTable counting_ = device_.table.wrapped([this](const KernelTable::Entry& entry) -> KernelTable::Run {
    return [this, &entry](const void* op, Inputs in, Outputs out, Context& ctx) {
      ++calls_[entry.op];
      entry.run(op, in, out, ctx);
    };
  });
  Context ctx_{device_.backend, counting_};
};

TEST_F(CountingTest, ARuleRunsACheapOpAgainOnceAndKeepsItsStatistics) {
  constexpr std::int64_t kRows = 8, kWidth = 64;
  const auto gamma = leaf("gamma", std::vector<double>(kWidth, 1));
  std::vector<double> rows;
  for (int i = 0; i < kRows * kWidth; ++i) rows.push_back(std::cos(3 * i));
  Tape tape(ctx_, {.checkpointing = Checkpointing::selective});
  const Variable x = tape.input(device_.f64(rows, {kRows, kWidth}));
  const Variable y = tape.apply(ops::LayerNorm{}, {x, tape.leaf(gamma), Variable()}).front();
  const Variable loss = sum(tape, tape.apply1(ops::Mul{}, {y, y}));  // its rule reads y twice
  calls_.clear();
  tape.backward(loss);
  EXPECT_EQ(calls_["layer_norm"], 1) << "for y; its own rule reads x and the kept mean and deviation";
  EXPECT_EQ(calls_["layer_norm_backward"], 1);
}

// y = 2·x and z = 2·y, where z is said to follow from y, which is kept.
struct Doubled {
  static constexpr std::string_view kName = "doubled";
  static constexpr bool kCheap = true;
  std::vector<TensorSpec> infer(Specs inputs) const { return {inputs[0], inputs[0]}; }
  ops::Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const ops::GradientArgs& args) const {
    return {ops::run1(args.ctx, ops::Scale{4}, {args.grads[1]})};
  }
  static constexpr std::uint32_t kRecomputed = 2;
  ops::Saved recompute_reads() const { return {.outputs = 1}; }
  std::vector<Tensor> recompute(Context& ctx, Inputs, Inputs outputs) const {
    return {Tensor(), ops::run1(ctx, ops::Scale{2}, {outputs[0]})};
  }
};
void doubled(const Doubled&, Inputs in, Outputs out, Context&) {
  for (std::int64_t i = 0; i < in[0].numel(); ++i) {
    out[0].data<double>()[i] = 2 * in[0].data<double>()[i];
    out[1].data<double>()[i] = 4 * in[0].data<double>()[i];
  }
}

TEST_F(CountingTest, AnOpMaySayWhatItsOutputsFollowFrom) {
  counting_.add<Doubled>("test", doubled, serves::anything);
  Tape tape(ctx_, {.checkpointing = Checkpointing::selective});
  Variable x = tape.input(device_.f64(std::vector<double>(1000, 3), {1000}));
  const Variable first = x;
  Variable z = tape.apply(Doubled{}, {tape.apply1(ops::Scale{1}, {x})})[1];
  const Variable loss = sum(tape, tape.apply1(ops::Mul{}, {z, z}));
  z = {};
  const auto kept = device_.backend->memory().by_kind[static_cast<std::size_t>(MemoryKind::activations)];
  EXPECT_EQ(kept, 8192 + 256) << "y and the loss; neither the input of the op nor z";
  tape.backward(loss);
  EXPECT_EQ(host(tape.grad_of(first)), std::vector<double>(1000, 96));  // d(z²) = 2·z·4, z = 12
}

}  // namespace
}  // namespace strata::autograd
