// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/softmax.hpp"

namespace strata::ops {

std::vector<TensorSpec> Softmax::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  STRATA_CHECK(inputs[0].shape.ndim() >= 1, usage, kName, "a scalar has no axis to normalise over");
  return {inputs[0]};
}

std::vector<Tensor> Softmax::gradient(const GradientArgs& args) const {
  return {run1(args.ctx, SoftmaxBackward{}, {args.outputs[0], args.grad()})};
}

std::vector<TensorSpec> SoftmaxBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  expect_floating(kName, inputs[0], "y");
  expect_same_type(kName, inputs[0], inputs[1]);
  expect_shape(kName, inputs[1], "dy", inputs[0].shape);
  return {inputs[0]};
}

}  // namespace strata::ops
