// SPDX-License-Identifier: Apache-2.0
//
// The exponential function of every element: a logit scale is kept as its logarithm. Not for softmax, which shifts by
// the row's maximum first. Cost: one pass over the memory.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

struct Exp {  // y = eˣ; run_into: y may alias x
  static constexpr std::string_view kName = "exp";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.outputs = 1}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

}  // namespace strata::ops
