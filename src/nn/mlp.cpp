// SPDX-License-Identifier: Apache-2.0
#include "strata/nn/layers.hpp"
#include "strata/ops/gelu.hpp"

namespace strata::nn {
namespace {

Linear::Options axes(const char* out, std::int64_t out_size, const char* in, std::int64_t in_size) {
  Linear::Options options;
  options.out_axes = {{out, out_size}};
  options.in_axes = {{in, in_size}};
  return options;
}

}  // namespace

Mlp::Mlp(const Context& ctx, DType dtype, std::int64_t width, std::int64_t hidden)
    : fc1(ctx, dtype, width, hidden, axes("mlp", hidden, "embed", width)),
      fc2(ctx, dtype, hidden, width, axes("embed", width, "mlp", hidden)) {
  add("fc1", fc1);
  add("fc2", fc2);
}

Variable Mlp::forward(Tape& tape, const Variable& input, const Variable& residual) {
  return bordered(tape, input, [&](const Variable& x) {
    const Variable hidden = fc1.forward(tape, x);
    if (fc2.value_hooks()) return fc2.forward(tape, tape.apply1(ops::Gelu{}, {hidden}), {.residual = residual});
    return fc2.forward(tape, hidden, {.gelu = true, .residual = residual});
  });
}

}  // namespace strata::nn
