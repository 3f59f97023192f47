// SPDX-License-Identifier: Apache-2.0
//
// Rows scaled to unit Euclidean length: y = x / max(|x|, epsilon), as torch.nn.functional.normalize.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

struct L2Normalize {  // x [.., C] -> (y [.., C], norm [R] in the accumulation type, no gradient)
  static constexpr std::string_view kName = "l2_normalize";
  double epsilon = 1e-12;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.outputs = 3}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const L2Normalize&) const = default;
};

struct L2NormalizeBackward {  // (y, norm, dy) -> dx; rows shorter than epsilon: dx = dy / epsilon
  static constexpr std::string_view kName = "l2_normalize_backward";
  double epsilon = 1e-12;
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const L2NormalizeBackward&) const = default;
};

}  // namespace strata::ops
