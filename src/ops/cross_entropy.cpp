// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/cross_entropy.hpp"

#include <fmt/format.h>

namespace strata::ops {
namespace {

void check_logits(std::string_view op, Specs inputs) {
  const TensorSpec& logits = inputs[0];
  expect_floating(op, logits, "logits");
  expect_ndim(op, logits, "logits", 2);
  STRATA_CHECK(logits.shape[1] > 0, usage, op, fmt::format("logits {} have no classes", logits.str()));
  expect_type(op, inputs[1], "target", DType::i64);
  expect_shape(op, inputs[1], "target", {logits.shape[0]});
}

TensorSpec row_spec(const TensorSpec& logits) { return {accumulation_type(logits.dtype), {logits.shape[0]}}; }

}  // namespace

std::vector<TensorSpec> CrossEntropy::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  check_logits(kName, inputs);
  return {row_spec(inputs[0]), row_spec(inputs[0])};
}

std::vector<Tensor> CrossEntropy::gradient(const GradientArgs& args) const {
  return {run1(args.ctx, CrossEntropyBackward{ignore}, {args.inputs[0], args.inputs[1], args.outputs[1], args.grad()}),
          {}};
}

std::vector<TensorSpec> CrossEntropyBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 4, 4);
  check_logits(kName, inputs);
  const TensorSpec row = row_spec(inputs[0]);
  for (const std::size_t i : {2u, 3u}) {
    expect_shape(kName, inputs[i], i == 2 ? "lse" : "dloss", row.shape);
    expect_type(kName, inputs[i], i == 2 ? "lse" : "dloss", row.dtype);
  }
  return {inputs[0]};
}

}  // namespace strata::ops
