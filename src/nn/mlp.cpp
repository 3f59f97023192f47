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

Variable Mlp::forward(Tape& tape, const Variable& input) {
  return bordered(tape, input, [&](const Variable& x) {
    return fc2.forward(tape, tape.apply1(ops::Gelu{}, {fc1.forward(tape, x)}));
  });
}

}  // namespace strata::nn
