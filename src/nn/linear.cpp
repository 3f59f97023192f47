// SPDX-License-Identifier: Apache-2.0
#include "strata/nn/layers.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/matmul.hpp"

namespace strata::nn {

Linear::Linear(const Context& ctx, DType dtype, std::int64_t in, std::int64_t out, Options options) {
  if (options.out_axes.empty()) options.out_axes = {{"out", out}};
  if (options.in_axes.empty()) options.in_axes = {{"in", in}};
  const Shape shape = options.weight_shape.ndim() > 0 ? options.weight_shape : Shape{out, in};
  auto axes = options.out_axes;
  axes.insert(axes.end(), options.in_axes.begin(), options.in_axes.end());
  weight = add(std::make_shared<Parameter>("weight", ctx.zeros(dtype, shape), std::move(axes), options.weight_init));
  if (options.bias)
    bias = add(std::make_shared<Parameter>("bias", ctx.zeros(ops::accumulation_type(dtype), {out}), options.out_axes,
                                           options.bias_init));
}

Variable Linear::forward(Tape& tape, const Variable& input, const Fused& fused) {
  return bordered(tape, input, [&](const Variable& x) {
    const ops::Linear op{fused.gelu};
    const Variable b = bias ? tape.leaf(bias) : Variable();
    if (!partial_sum) return tape.apply1(op, {x, tape.leaf(weight), b, fused.residual});
    Variable y = partial_sum(tape, tape.apply1(op, {x, tape.leaf(weight), Variable(), Variable()}));
    if (b.defined()) y = tape.apply1(ops::Add{}, {y, b});
    return fused.residual.defined() ? tape.apply1(ops::Add{}, {fused.residual, y}) : y;
  });
}

}  // namespace strata::nn
