// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/l2_normalize.hpp"

namespace strata::ops {

std::vector<TensorSpec> L2Normalize::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  STRATA_CHECK(inputs[0].shape.ndim() >= 1, usage, kName, "a scalar has no rows to normalise");
  return {inputs[0], {accumulation_type(inputs[0].dtype), {inputs[0].shape.outer(-1)}}};
}

std::vector<Tensor> L2Normalize::gradient(const GradientArgs& args) const {
  return {run1(args.ctx, L2NormalizeBackward{epsilon}, {args.outputs[0], args.outputs[1], args.grad()})};
}

std::vector<TensorSpec> L2NormalizeBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 3, 3);
  expect_floating(kName, inputs[0], "y");
  expect_shape(kName, inputs[1], "norm", {inputs[0].shape.outer(-1)});
  expect_type(kName, inputs[1], "norm", accumulation_type(inputs[0].dtype));
  expect_same_type(kName, inputs[0], inputs[2]);
  expect_shape(kName, inputs[2], "dy", inputs[0].shape);
  return {inputs[0]};
}

}  // namespace strata::ops
