// SPDX-License-Identifier: Apache-2.0
#include "models/projection.hpp"

#include <cmath>

namespace strata::models {

// Uniform in ±1/sqrt(fan in); the published joint projections keep that.
nn::Linear::Options projection_options(std::int64_t in, std::int64_t out) {
  nn::Linear::Options options;
  options.bias = false;
  options.weight_init = nn::Init::uniform(1.0 / std::sqrt(static_cast<double>(in)));
  options.out_axes = {{"joint", out}};
  options.in_axes = {{"embed", in}};
  return options;
}

Variable project(Tape& tape, nn::Linear& projection, const Variable& x) {
  const Variable y = projection.forward(tape, tape.cast(x, projection.weight->spec().dtype));
  return tape.cast(y, ops::accumulation_type(y.dtype()));
}

}  // namespace strata::models
