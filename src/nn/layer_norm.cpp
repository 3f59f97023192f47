// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include "strata/nn/layers.hpp"

namespace strata::nn {

LayerNorm::LayerNorm(const Context& ctx, DType dtype, std::int64_t width, double epsilon) : epsilon_(epsilon) {
  weight = add(std::make_shared<Parameter>("weight", ctx.zeros(dtype, {width}),
                                           std::vector<LogicalAxis>{{"embed", width}}, Init::ones()));
  bias = add(std::make_shared<Parameter>("bias", ctx.zeros(dtype, {width}), std::vector<LogicalAxis>{{"embed", width}},
                                         Init::zeros()));
}

Variable LayerNorm::forward(Tape& tape, const Variable& input) {
  return bordered(tape, input, [&](const Variable& x) {
    return tape.apply1(ops::LayerNorm{epsilon_}, {x, tape.leaf(weight), tape.leaf(bias)});
  });
}

}  // namespace strata::nn
