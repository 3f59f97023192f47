// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gelu.hpp"

namespace strata::ops {

std::vector<TensorSpec> Gelu::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  return {inputs[0]};
}

std::vector<Tensor> Gelu::gradient(const GradientArgs& args) const {
  return {run1(args.ctx, GeluBackward{}, {args.inputs[0], args.grad()})};
}

std::vector<TensorSpec> GeluBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  expect_floating(kName, inputs[0], "x");
  expect_same_type(kName, inputs[0], inputs[1]);
  expect_shape(kName, inputs[1], "dy", inputs[0].shape);
  return {inputs[0]};
}

}  // namespace strata::ops
