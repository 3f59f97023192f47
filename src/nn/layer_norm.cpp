// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include "strata/nn/layers.hpp"
#include "strata/ops/elementwise.hpp"

namespace strata::nn {

LayerNorm::LayerNorm(const Context& ctx, DType dtype, std::int64_t width, double epsilon)
    : output_(dtype), epsilon_(epsilon) {
  const auto parameter = [&](const char* name, Init init) {
    return add(std::make_shared<Parameter>(name, ctx.zeros(ops::accumulation_type(dtype), {width}),
                                           std::vector<LogicalAxis>{{"embed", width}}, init));
  };
  weight = parameter("weight", Init::ones());
  bias = parameter("bias", Init::zeros());
}

Variable LayerNorm::forward(Tape& tape, const Variable& input) {
  return bordered(tape, input, [&](const Variable& x) {
    return tape.apply1(ops::LayerNorm{epsilon_, output_}, {x, tape.leaf(weight), tape.leaf(bias)});
  });
}

LayerNorm::Sum LayerNorm::forward_sum(Tape& tape, const Variable& x, const Variable& branch) {
  if (value_hooks()) {
    const Variable h = tape.apply1(ops::Add{}, {x, branch});
    return {h, forward(tape, h)};
  }
  const Variable in = enter(tape, x);
  const auto outputs =
      tape.apply(ops::AddLayerNorm{epsilon_, output_}, {in, branch, tape.leaf(weight), tape.leaf(bias)});
  return {outputs[0], leave(tape, outputs[1])};
}

}  // namespace strata::nn
