// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/regroup.hpp"

#include <fmt/format.h>

namespace strata::ops {
namespace {

void check_tokens(std::string_view op, const TensorSpec& x, std::string_view what) {
  expect_floating(op, x, what);
  expect_ndim(op, x, what, 2);
}

void check_offsets(std::string_view op, const TensorSpec& offsets, std::string_view what) {
  expect_type(op, offsets, what, DType::i32);
  expect_ndim(op, offsets, what, 1);
  STRATA_CHECK(offsets.shape[0] >= 1, usage, op,
               fmt::format("{} must hold the number of sequences plus one, got none", what));
}

void check_regroup(std::string_view op, Specs inputs, std::int64_t prefix, std::int64_t rows) {
  expect_inputs(op, inputs, 4, 4);
  check_tokens(op, inputs[0], "x");
  check_offsets(op, inputs[1], "fine");
  check_offsets(op, inputs[2], "coarse");
  check_offsets(op, inputs[3], "parts");
  expect_shape(op, inputs[3], "parts", inputs[2].shape);
  STRATA_CHECK(prefix >= 0 && rows >= 0, usage, op,
               fmt::format("{} prefix tokens and {} rows are impossible", prefix, rows));
}

std::int64_t sequences(const TensorSpec& offsets) { return offsets.shape[0] - 1; }

}  // namespace

std::vector<TensorSpec> MergeTokens::infer(Specs inputs) const {
  check_regroup(kName, inputs, prefix, rows);
  return {{inputs[0].dtype, {rows, inputs[0].shape[1]}}};
}

std::vector<Tensor> MergeTokens::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(4);
  if (!args.wants(0)) return grads;
  const SplitTokens split{prefix, args.specs[0].shape[0],
                          rule == PrefixMerge::mean ? PrefixSplit::share : PrefixSplit::copy};
  grads[0] = run1(args.ctx, split, {args.grad(), args.inputs[1], args.inputs[2], args.inputs[3]});
  return grads;
}

std::vector<TensorSpec> SplitTokens::infer(Specs inputs) const {
  check_regroup(kName, inputs, prefix, rows);
  return {{inputs[0].dtype, {rows, inputs[0].shape[1]}}};
}

std::vector<Tensor> SplitTokens::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(4);
  if (!args.wants(0)) return grads;
  const MergeTokens merge{prefix, args.specs[0].shape[0],
                          rule == PrefixSplit::copy ? PrefixMerge::sum : PrefixMerge::mean};
  grads[0] = run1(args.ctx, merge, {args.grad(), args.inputs[1], args.inputs[2], args.inputs[3]});
  return grads;
}

std::vector<TensorSpec> JoinPrefix::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 3, 3);
  const auto &prefix = inputs[0], &patches = inputs[1];
  check_tokens(kName, prefix, "the prefix");
  check_tokens(kName, patches, "the patches");
  expect_same_type(kName, prefix, patches);
  expect_shape(kName, prefix, "the prefix", {prefix.shape[0], patches.shape[1]});
  check_offsets(kName, inputs[2], "offsets");
  return {{patches.dtype, {patches.shape[0] + sequences(inputs[2]) * prefix.shape[0], patches.shape[1]}}};
}

std::vector<Tensor> JoinPrefix::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(3);
  if (!args.wants(0) && !args.wants(1)) return grads;
  auto parts = run(args.ctx, SplitPrefix{args.specs[0].shape[0]}, {args.grad(), args.inputs[2]});
  if (args.wants(0)) grads[0] = parts[0];
  if (args.wants(1)) grads[1] = parts[1];
  return grads;
}

std::vector<TensorSpec> SplitPrefix::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  const auto& x = inputs[0];
  check_tokens(kName, x, "x");
  check_offsets(kName, inputs[1], "offsets");
  const std::int64_t patches = x.shape[0] - sequences(inputs[1]) * prefix;
  STRATA_CHECK(prefix >= 0 && patches >= 0, usage, kName,
               fmt::format("{} rows cannot hold {} prefix tokens for each of {} sequences", x.shape[0], prefix,
                           sequences(inputs[1])));
  return {{x.dtype, {prefix, x.shape[1]}}, {x.dtype, {patches, x.shape[1]}}};
}

std::vector<TensorSpec> SegmentMean::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  check_tokens(kName, inputs[0], "x");
  check_offsets(kName, inputs[1], "offsets");
  STRATA_CHECK(skip >= 0, usage, kName, fmt::format("cannot skip {} rows", skip));
  return {{inputs[0].dtype, {sequences(inputs[1]), inputs[0].shape[1]}}};
}

std::vector<Tensor> SegmentMean::gradient(const GradientArgs& args) const {
  if (!args.wants(0)) return std::vector<Tensor>(2);
  return {run1(args.ctx, SegmentMeanBackward{skip, args.specs[0].shape[0]}, {args.grad(), args.inputs[1]}), Tensor()};
}

std::vector<TensorSpec> SegmentMeanBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  check_tokens(kName, inputs[0], "dy");
  check_offsets(kName, inputs[1], "offsets");
  expect_shape(kName, inputs[0], "dy", {sequences(inputs[1]), inputs[0].shape[1]});
  return {{inputs[0].dtype, {rows, inputs[0].shape[1]}}};
}

}  // namespace strata::ops
