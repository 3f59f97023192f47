// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/exp.hpp"

#include "strata/ops/elementwise.hpp"

namespace strata::ops {

std::vector<TensorSpec> Exp::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  return {inputs[0]};
}

std::vector<Tensor> Exp::gradient(const GradientArgs& args) const {
  return {run1(args.ctx, Mul{}, {args.grad(), args.outputs[0]})};
}

}  // namespace strata::ops
