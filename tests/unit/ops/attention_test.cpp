// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/attention.hpp"

#include <gtest/gtest.h>

#include "backends/reference/reference.hpp"
#include "strata/ops/concat.hpp"
#include "strata/ops/segments.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::ops {
namespace {

class AttentionRule : public ::testing::Test {
 protected:
  KernelTable table_ = make_reference_table();
  Context ctx_{make_reference_backend(), table_};

  Tensor counting(const Shape& shape) {
    std::vector<double> values(static_cast<std::size_t>(shape.numel()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>((i * 37) % 11) / 11 - 0.5;
    return ctx_.tensor(values, shape);
  }

  std::vector<Tensor> gradients(const Tensor& q, const Tensor& k, const Tensor& v, std::uint32_t needs) {
    const Tensor offsets = Segments::uniform(ctx_, 2, q.dim(0) / 2).device_offsets();
    const std::vector<Tensor> in{q, k, v, offsets, offsets};
    const Attention op{8, 0.5, 3, 3};
    const auto out = run(ctx_, op, in);
    const std::vector<Tensor> cotangents{counting(q.shape()), Tensor()};
    return op.gradient({ctx_, detail::specs_of(in), in, out, cotangents, needs});
  }
};

TEST_F(AttentionRule, GradientsOfColumnBlocksLieSideBySide) {
  const Tensor qkv = counting({6, 48});
  const auto blocks = split_columns(qkv, {16, 16, 16});
  const auto grads = gradients(blocks[0], blocks[1], blocks[2], 7);
  const auto grad_blocks = Inputs(grads).first(3);
  const Tensor joined = join_columns(ctx_, grad_blocks, {16, 16, 16}, qkv.spec());
  EXPECT_EQ(joined.storage(), grads[0].storage());  // no copy

  const auto apart = gradients(dense(ctx_, blocks[0]), dense(ctx_, blocks[1]), dense(ctx_, blocks[2]), 7);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(ctx_.to_host<double>(dense(ctx_, grads[i])), ctx_.to_host<double>(apart[i])) << i;
}

TEST_F(AttentionRule, BlocksInAnotherOrderKeepTheirOwnMemory) {
  const auto blocks = split_columns(counting({6, 48}), {16, 16, 16});
  const auto grads = gradients(blocks[1], blocks[0], blocks[2], 7);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(grads[i].is_dense()) << i;
}

TEST_F(AttentionRule, GivesOnlyWhatIsWanted) {
  const auto grads = gradients(counting({6, 16}), counting({6, 16}), counting({6, 16}), 2);
  EXPECT_FALSE(grads[0].defined());
  EXPECT_TRUE(grads[1].defined());
  EXPECT_FALSE(grads[2].defined());
}

TEST_F(AttentionRule, RefusesWidthsThatDoNotFit) {
  const auto infer = [](std::int64_t head_width, std::int64_t width) {
    const TensorSpec x{DType::f32, {6, width}}, offsets{DType::i32, {3}};
    const std::vector<TensorSpec> in{x, x, x, offsets, offsets};
    (void)Attention{head_width, 1, 6, 6}.infer(in);
  };
  fixtures::expect_error([&] { infer(12, 24); }, ErrorKind::usage,
                         "[attention] head width 12 is not a multiple of 8 up to 128: choose another number of heads");
  fixtures::expect_error([&] { infer(136, 136); }, ErrorKind::usage,
                         "[attention] head width 136 is not a multiple of 8 up to 128: choose another number of heads");
  fixtures::expect_error(
      [&] { infer(16, 40); }, ErrorKind::usage,
      "[attention] width 40 does not divide into heads of 16: the number of heads must divide the width");
}

TEST_F(AttentionRule, ReferenceRefusesOffsetsThatDoNotMatch) {
  const Tensor x = counting({6, 16}), offsets = Segments::uniform(ctx_, 1, 5).device_offsets();
  fixtures::expect_error(
      [&] {
        run(ctx_, Attention{8, 1, 5, 5}, {x, x, x, offsets, offsets});
      },
      ErrorKind::internal, "[attention] offsets must rise from 0 to 6, they run from 0 to 5");
}

}  // namespace
}  // namespace strata::ops
