// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/sigmoid_cross_entropy.hpp"

#include <fmt/format.h>

namespace strata::ops {
namespace {

void check_logits(std::string_view op, Specs inputs) {
  expect_floating(op, inputs[0], "logits");
  expect_ndim(op, inputs[0], "logits", 2);
  expect_type(op, inputs[1], "target", DType::i64);
  expect_shape(op, inputs[1], "target", {inputs[0].shape[0]});
}

TensorSpec row_spec(const TensorSpec& logits) { return {accumulation_type(logits.dtype), {logits.shape[0]}}; }

}  // namespace

std::vector<TensorSpec> SigmoidCrossEntropy::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  check_logits(kName, inputs);
  return {row_spec(inputs[0])};
}

std::vector<Tensor> SigmoidCrossEntropy::gradient(const GradientArgs& args) const {
  return {run1(args.ctx, SigmoidCrossEntropyBackward{}, {args.inputs[0], args.inputs[1], args.grad()}), {}};
}

std::vector<TensorSpec> SigmoidCrossEntropyBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 3, 3);
  check_logits(kName, inputs);
  const TensorSpec row = row_spec(inputs[0]);
  expect_shape(kName, inputs[2], "dloss", row.shape);
  expect_type(kName, inputs[2], "dloss", row.dtype);
  return {inputs[0]};
}

}  // namespace strata::ops
