// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/copy.hpp"

#include "strata/base/error.hpp"

namespace strata::ops {

std::vector<TensorSpec> Copy::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  return {inputs[0]};
}

std::vector<Tensor> Copy::gradient(const GradientArgs& args) const { return {args.grad()}; }

std::vector<TensorSpec> Cast::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  return {{to, inputs[0].shape}};
}

std::vector<Tensor> Cast::gradient(const GradientArgs& args) const {
  expect_floating(kName, args.specs[0], "a differentiated input");
  return {cast(args.ctx, args.grad(), args.specs[0].dtype)};
}

Tensor cast(Context& ctx, const Tensor& x, DType to) { return x.dtype() == to ? x : run1(ctx, Cast{to}, {x}); }

void fill(Context& ctx, const Tensor& into, double value) { run_into(ctx, Fill{value, into.spec()}, {}, {into}); }

Tensor zeros_like(Context& ctx, const TensorSpec& spec) { return full(ctx, spec.dtype, spec.shape, 0); }

Tensor full(Context& ctx, DType dtype, const Shape& shape, double value) {
  Tensor result = ctx.empty(dtype, shape);
  fill(ctx, result, value);
  return result;
}

Tensor dense(Context& ctx, const Tensor& tensor) {
  return !tensor.defined() || tensor.is_dense() ? tensor : run1(ctx, Copy{}, {tensor});
}

}  // namespace strata::ops
