// SPDX-License-Identifier: Apache-2.0
//
// Softmax over the last axis, shifted by the row's maximum. A row of -inf alone gives NaN, as in PyTorch.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

struct Softmax {  // x [.., K] -> y [.., K]
  static constexpr std::string_view kName = "softmax";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.outputs = 1}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

struct SoftmaxBackward {  // (y, dy) -> dx = y · (dy - sum(y · dy))
  static constexpr std::string_view kName = "softmax_backward";
  std::vector<TensorSpec> infer(Specs inputs) const;
};

}  // namespace strata::ops
