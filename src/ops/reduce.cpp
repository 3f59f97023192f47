// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/reduce.hpp"

#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"

namespace strata::ops {

std::vector<TensorSpec> Reduce::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  const DType type = wide ? accumulation_type(inputs[0].dtype) : inputs[0].dtype;
  return {{type, everything ? Shape{} : inputs[0].shape.without(axis)}};
}

std::vector<Tensor> Reduce::gradient(const GradientArgs& args) const {
  const Shape& shape = args.specs[0].shape;
  const auto count = static_cast<double>(everything ? shape.numel() : shape[axis]);
  const Expand expand{shape, axis, everything, kind == Reduction::mean ? 1 / count : 1};
  return {run1(args.ctx, expand, {cast(args.ctx, args.grad(), args.specs[0].dtype)})};
}

std::vector<TensorSpec> Expand::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  expect_shape(kName, inputs[0], "x", everything ? Shape{} : shape.without(axis));
  return {{inputs[0].dtype, shape}};
}

std::vector<Tensor> Expand::gradient(const GradientArgs& args) const {
  const Tensor sum = run1(args.ctx, Reduce{Reduction::sum, axis, everything}, {args.grad()});
  return {alpha == 1 ? sum : run1(args.ctx, Scale{alpha}, {sum})};
}

Tensor sum_to_suffix(Context& ctx, const Tensor& x, const Shape& suffix) {
  const int leading = x.ndim() - suffix.ndim();
  if (leading == 0) return x;
  std::int64_t repeats = 1;
  for (int i = 0; i < leading; ++i) repeats *= x.dim(i);
  return run1(ctx, Reduce{.wide = true}, {dense(ctx, x).reshape(Shape{repeats, suffix.numel()})}).reshape(suffix);
}

Tensor sum_all(Context& ctx, const Tensor& x) { return run1(ctx, Reduce{.everything = true}, {x}); }

}  // namespace strata::ops
