// SPDX-License-Identifier: Apache-2.0
//
// GELU in its exact form, x · Φ(x) with Φ the normal distribution function through erf (Hendrycks & Gimpel 2016); not
// the tanh approximation.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

struct Gelu {
  static constexpr std::string_view kName = "gelu";
  static constexpr bool kCheap = true;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 1}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

struct GeluBackward {  // (x, dy) -> dx = dy · (Φ(x) + x φ(x)); dx may alias dy
  static constexpr std::string_view kName = "gelu_backward";
  std::vector<TensorSpec> infer(Specs inputs) const;
};

}  // namespace strata::ops
