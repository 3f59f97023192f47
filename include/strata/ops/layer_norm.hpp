// SPDX-License-Identifier: Apache-2.0
//
// Layer normalisation over the last axis (Ba et al. 2016) with biased variance, computed from deviations (not E[x²] −
// E[x]²).
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

// (x [.., C], gamma [C] or none, beta [C] or none) -> (y [.., C], mean [R], rstd [R]), R = rows. gamma and beta have
// x's type or the accumulation type; mean and rstd the accumulation type and no gradient.
struct LayerNorm {
  static constexpr std::string_view kName = "layer_norm";
  static constexpr bool kCheap = true;
  double epsilon = 1e-6;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

// (x, gamma or none, mean, rstd, dy) -> (dx, dgamma, dbeta). dgamma and dbeta are [C] in gamma's type (x's accumulation
// type without gamma), or undefined when `parameters` is false. Column sums run over fixed chunks of rows in a fixed
// order.
struct LayerNormBackward {
  static constexpr std::string_view kName = "layer_norm_backward";
  bool parameters = true;
  std::vector<TensorSpec> infer(Specs inputs) const;
};

}  // namespace strata::ops
