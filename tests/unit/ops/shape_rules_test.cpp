// SPDX-License-Identifier: Apache-2.0
// What shape rules say of inputs that an op cannot take, and what kernels say of bad contents.
#include <gtest/gtest.h>

#include "backends/reference/reference.hpp"
#include "strata/ops/concat.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/cross_entropy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/layer_norm.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/patches.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/ops/segments.hpp"
#include "strata/ops/softmax.hpp"

namespace strata::ops {
namespace {

TensorSpec f32(Shape shape) { return {DType::f32, shape}; }

template <class Op>
std::string refusal(const Op& op, const std::vector<TensorSpec>& inputs) {
  try {
    op.infer(inputs);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ShapeRules, NameTheValuesTheyMet) {
  EXPECT_EQ(refusal(Softmax{}, {{DType::i32, {2, 3}}}), "[softmax] x is i32[2, 3], expected a floating type");
  EXPECT_EQ(refusal(Softmax{}, {f32({})}), "[softmax] a scalar has no axis to normalise over");
  EXPECT_EQ(refusal(Add{}, {f32({4, 6}), f32({4})}),
            "[add] the second operand [4] is not a suffix of the first, [4, 6]");
  EXPECT_EQ(refusal(Mul{}, {f32({4}), {DType::bf16, {4}}}),
            "[mul] inputs f32[4] and bf16[4] differ in element type: cast one of them");
  EXPECT_EQ(refusal(Matmul{}, {f32({4, 6}), f32({5, 3})}),
            "[matmul] f32[4, 6] · f32[5, 3]: inner sizes 6 and 5 differ");
  EXPECT_EQ(refusal(Matmul{true, false}, {f32({4, 6}), f32({6, 3})}),
            "[matmul] f32[4, 6] transposed · f32[6, 3]: inner sizes 4 and 6 differ");
  EXPECT_EQ(refusal(Matmul{}, {f32({2, 4, 6}), f32({3, 6, 3})}),
            "[matmul] f32[2, 4, 6] · f32[3, 6, 3]: batches of 2 and 3");
  EXPECT_EQ(refusal(Linear{}, {f32({4, 6}), f32({5, 7}), f32({5})}),
            "[linear] x f32[4, 6] does not have the 7 columns that weight f32[5, 7] takes");
  EXPECT_EQ(refusal(Linear{}, {f32({4, 6}), f32({5, 6}), f32({6})}), "[linear] bias has shape [6], expected [5]");
  EXPECT_EQ(refusal(LayerNorm{}, {f32({4, 6}), f32({5})}), "[layer_norm] gamma has shape [5], expected [6]");
  EXPECT_EQ(refusal(LayerNorm{.output = DType::f64}, {f32({4, 6})}),
            "[layer_norm] an output of type f64 for x f32[4, 6]: expected the type of x or a narrower one");
  EXPECT_EQ(refusal(AddLayerNorm{}, {f32({4, 6}), f32({4, 5})}),
            "[add_layer_norm] the branch has shape [4, 5], expected [4, 6]");
  EXPECT_EQ(refusal(AddLayerNorm{}, {{DType::bf16, {4, 6}}, f32({4, 6})}),
            "[add_layer_norm] a branch of type f32 for x bf16[4, 6]: expected the type of x or a narrower one");
  EXPECT_EQ(refusal(Add{}, {f32({4}), {DType::i32, {4}}}),
            "[add] the second operand is i32[4], expected a floating type");
  EXPECT_EQ(refusal(LayerNorm{}, {f32({4, 6}), {DType::bf16, {6}}}),
            "[layer_norm] gamma is bf16[6], expected the type of x, f32, or f32");
  EXPECT_EQ(refusal(LayerNorm{}, {f32({4, 0})}),
            "[layer_norm] x is f32[4, 0], but needs at least one column to normalise over");
  EXPECT_EQ(refusal(CrossEntropy{}, {f32({4, 6}), {DType::i32, {4}}}),
            "[cross_entropy] target is i32[4], expected i64");
  EXPECT_EQ(refusal(Reduce{.axis = 2}, {f32({4, 6})}), "[shape] axis 2 does not exist in [4, 6]");
  EXPECT_EQ(refusal(Concat{1}, {f32({4, 6}), f32({5, 6})}), "[concat] an input has shape [5, 6], expected [4, 6]");
  EXPECT_NE(refusal(PatchUnfold{.geometry = {{2, 4, 4}}}, {f32({1, 1, 4, 9, 8})}).find("9"), std::string::npos);
}

class OpsTest : public testing::Test {
 protected:
  std::shared_ptr<Backend> backend = make_reference_backend();
  KernelTable table = make_reference_table();
  Context ctx{backend, table};
};

TEST_F(OpsTest, CrossEntropyNamesTheRowOfABadTarget) {
  const Tensor logits = ctx.zeros(DType::f32, {2, 3});
  const Tensor target = ctx.tensor(std::vector<std::int64_t>{1, 3}, {2});
  try {
    run(ctx, CrossEntropy{}, {logits, target});
    FAIL() << "no exception";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_STREQ(error.what(), "[cross_entropy] row 1 has target 3, but there are 3 classes");
  }
}

TEST_F(OpsTest, AccumulateConvertsAndRefusesOtherShapes) {
  const Tensor sum = ctx.tensor(std::vector<float>{1, 2}, {2});
  accumulate(ctx, sum, ctx.tensor(std::vector<double>{0.5, 0.25}, {2}));
  EXPECT_EQ(ctx.to_host<float>(sum), (std::vector<float>{1.5f, 2.25f}));
  EXPECT_THROW(accumulate(ctx, sum, ctx.zeros(DType::f32, {1})), Error);
}

TEST_F(OpsTest, CastRoundsAndSaturates) {
  const Tensor x = ctx.tensor(std::vector<float>{0.5f, 1.5f, 2.5f, -0.6f, 300, -300, 1e20f}, {7});
  EXPECT_EQ(ctx.to_host<std::uint8_t>(cast(ctx, x, DType::u8)), (std::vector<std::uint8_t>{0, 2, 2, 0, 255, 0, 255}));
  EXPECT_EQ(ctx.to_host<std::int16_t>(cast(ctx, x, DType::i16)),
            (std::vector<std::int16_t>{0, 2, 2, -1, 300, -300, 32767}));
  const std::int64_t large = (std::int64_t{1} << 53) + 1;
  const Tensor whole = ctx.tensor(std::vector<std::int64_t>{large, -large}, {2});
  EXPECT_EQ(ctx.to_host<std::int64_t>(run1(ctx, Copy{}, {whole})), (std::vector<std::int64_t>{large, -large}));
  EXPECT_EQ(ctx.to_host<std::int32_t>(cast(ctx, whole, DType::i32)),
            (std::vector<std::int32_t>{2147483647, -2147483647 - 1}));
}

TEST_F(OpsTest, JoinedColumnsAreTheBufferTheyLieIn) {
  const Tensor whole = ctx.zeros(DType::f32, {3, 6});
  const auto blocks = split_columns(whole, {1, 2, 3});
  EXPECT_EQ(blocks[2].shape(), (Shape{3, 3}));
  EXPECT_TRUE(join_columns(ctx, blocks, {1, 2, 3}, whole.spec()).same_view(whole));
  EXPECT_THROW(split_columns(whole, {1, 2}), Error);
}

TEST_F(OpsTest, JoinedColumnsAreCopiedFromElsewhere) {
  const Tensor whole = ctx.tensor(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const auto blocks = split_columns(whole, {1, 2});
  const std::vector<Tensor> with_gap{Tensor(), blocks[1]};
  EXPECT_EQ(ctx.to_host<float>(join_columns(ctx, with_gap, {1, 2}, whole.spec())),
            (std::vector<float>{0, 2, 3, 0, 5, 6}));
  const std::vector<Tensor> reversed{blocks[1], blocks[0]};
  EXPECT_EQ(ctx.to_host<float>(join_columns(ctx, reversed, {2, 1}, whole.spec())),
            (std::vector<float>{2, 3, 1, 5, 6, 4}));
  const std::vector<Tensor> wider{blocks[0], cast(ctx, dense(ctx, blocks[1]), DType::f64)};
  EXPECT_EQ(ctx.to_host<float>(join_columns(ctx, wider, {1, 2}, whole.spec())), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST_F(OpsTest, WideProductsDifferentiateToo) {
  const Tensor a = cast(ctx, ctx.tensor(std::vector<float>{1, 2, 3, 4}, {2, 2}), DType::bf16);
  const Tensor dc = ctx.tensor(std::vector<float>{1, 0, 0, 1}, {2, 2});
  const Matmul op{.wide = true};
  const std::vector<Tensor> inputs{a, a}, outputs{Tensor()}, grads{dc};
  const auto specs = detail::specs_of(inputs);
  EXPECT_EQ(op.infer(specs)[0].dtype, DType::f32);
  const auto result = op.gradient({ctx, specs, inputs, outputs, grads, 3});
  EXPECT_EQ(result[0].dtype(), DType::bf16);
  EXPECT_EQ(ctx.to_host<float>(cast(ctx, result[0], DType::f32)), (std::vector<float>{1, 3, 2, 4}));
}

TEST_F(OpsTest, SumsToASuffix) {
  const Tensor x = ctx.tensor(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2});
  EXPECT_EQ(ctx.to_host<float>(sum_to_suffix(ctx, x, {2})), (std::vector<float>{16, 20}));
  EXPECT_EQ(ctx.to_host<float>(sum_to_suffix(ctx, x, {2, 2})), (std::vector<float>{6, 8, 10, 12}));
  EXPECT_EQ(ctx.item(sum_to_suffix(ctx, x, {})), 36.0);
  const Tensor ones = full(ctx, DType::bf16, {1001, 3}, 1);  // 1001 is no bf16
  EXPECT_EQ(ctx.to_host<float>(sum_to_suffix(ctx, ones, {3})), (std::vector<float>{1001, 1001, 1001}));
  EXPECT_EQ(ctx.item(sum_all(ctx, x)), 36.0);
}

TEST_F(OpsTest, SegmentsCountTheirTokens) {
  const Segments segments = Segments::from_lengths(ctx, {3, 0, 5});
  EXPECT_EQ(segments.count(), 3);
  EXPECT_EQ(segments.total(), 8);
  EXPECT_EQ(segments.longest(), 5);
  EXPECT_EQ(segments.pairs(), 34);
  EXPECT_EQ(ctx.to_host<std::int32_t>(segments.device_offsets()), (std::vector<std::int32_t>{0, 3, 3, 8}));
  EXPECT_THROW(Segments::from_offsets(ctx, {0, 4, 2}), Error);
  EXPECT_THROW(Segments::from_offsets(ctx, {1, 4}), Error);
}

}  // namespace
}  // namespace strata::ops
