// SPDX-License-Identifier: Apache-2.0
//
// The losses against their formulas written out on the tape as whole matrices, in blocks of any size.
#include "strata/objectives/contrastive.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "strata/autograd/tape.hpp"
#include "strata/base/error.hpp"
#include "strata/ops/cross_entropy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/exp.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/ops/sigmoid_cross_entropy.hpp"
#include "tests/fixtures/reference_device.hpp"

namespace strata::objectives {
namespace {

using autograd::Tape;
using autograd::Variable;

constexpr std::int64_t kRows = 7, kWidth = 5;

std::vector<double> numbers(double phase) {
  std::vector<double> values;
  for (int i = 0; i < kRows * kWidth; ++i) values.push_back(std::sin(phase + 1.7 * i) + 0.1 * phase);
  return values;
}

class Contrastive : public ::testing::TestWithParam<std::int64_t> {
 protected:
  Variable whole_logits(Tape& tape, const Variable& x, const Variable& y, const Variable& log_scale, bool transposed) {
    const Variable i = tape.apply1(ops::L2Normalize{}, {x}), t = tape.apply1(ops::L2Normalize{}, {y});
    const Variable product = tape.apply1(ops::Matmul{.transpose_b = true}, {transposed ? t : i, transposed ? i : t});
    return tape.apply1(ops::Mul{}, {product, tape.apply1(ops::Exp{}, {log_scale})});
  }
  Tensor diagonal() const {
    std::vector<std::int64_t> rows;
    for (std::int64_t r = 0; r < kRows; ++r) rows.push_back(r);
    return ctx.tensor(rows, {kRows});
  }
  Variable sum(Tape& tape, const Variable& x) { return tape.apply1(ops::Reduce{.everything = true}, {x}); }

  void expect_same(const Tensor& got, const Tensor& expected, const char* what) {
    const auto a = ctx.to_host<double>(got), b = ctx.to_host<double>(expected);
    ASSERT_EQ(a.size(), b.size()) << what;
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-12) << what << " " << i;
  }

  fixtures::ReferenceDevice device;
  Context& ctx = device.ctx;
  GlobalBatch alone;
  const Tensor image = ctx.tensor(numbers(0.3), {kRows, kWidth}), text = ctx.tensor(numbers(2.1), {kRows, kWidth});
  const Tensor scale = ctx.tensor(std::vector<double>{1.3}, {}), bias = ctx.tensor(std::vector<double>{-2.0}, {});
};

TEST_P(Contrastive, ClipIsTheMeanOfBothCrossEntropies) {
  Tape tape(ctx, {});
  const Variable i = tape.input(image), t = tape.input(text), s = tape.input(scale);
  const Variable target = tape.constant(diagonal());
  const Variable rows = sum(tape, tape.apply1(ops::CrossEntropy{}, {whole_logits(tape, i, t, s, false), target}));
  const Variable columns = sum(tape, tape.apply1(ops::CrossEntropy{}, {whole_logits(tape, i, t, s, true), target}));
  const Variable loss = tape.apply1(ops::Scale{0.5 / kRows}, {tape.apply1(ops::Add{}, {rows, columns})});
  const double expected = ctx.item(loss.value());
  tape.backward(loss);

  const ContrastiveLoss got = clip_loss(ctx, alone, image, text, scale, {.block_rows = GetParam()});
  EXPECT_NEAR(ctx.item(got.loss), expected, 1e-13);
  expect_same(got.image, tape.grad_of(i), "image");
  expect_same(got.text, tape.grad_of(t), "text");
  expect_same(got.logit_scale, tape.grad_of(s), "scale");
  EXPECT_FALSE(got.logit_bias.defined());
}

TEST_P(Contrastive, SiglipIsTheSumOverAllPairs) {
  Tape tape(ctx, {});
  const Variable i = tape.input(image), t = tape.input(text), s = tape.input(scale), b = tape.input(bias);
  const Variable logits = tape.apply1(ops::Add{}, {whole_logits(tape, i, t, s, false), b});
  const Variable rows = tape.apply1(ops::SigmoidCrossEntropy{}, {logits, tape.constant(diagonal())});
  const Variable loss = tape.apply1(ops::Scale{1.0 / kRows}, {sum(tape, rows)});
  const double expected = ctx.item(loss.value());
  tape.backward(loss);

  const ContrastiveLoss got = siglip_loss(ctx, alone, image, text, scale, bias, {.block_rows = GetParam()});
  EXPECT_NEAR(ctx.item(got.loss), expected, 1e-13);
  expect_same(got.image, tape.grad_of(i), "image");
  expect_same(got.text, tape.grad_of(t), "text");
  expect_same(got.logit_scale, tape.grad_of(s), "scale");
  expect_same(got.logit_bias, tape.grad_of(b), "bias");
}

INSTANTIATE_TEST_SUITE_P(Blocks, Contrastive, ::testing::Values(1, 3, 7, 1024));

TEST_P(Contrastive, FeaturesThatAreNoPairsAreRefused) {
  EXPECT_THROW(clip_loss(ctx, alone, image, text.slice(0, 0, 3), scale, {.block_rows = GetParam()}), Error);
}

}  // namespace
}  // namespace strata::objectives
