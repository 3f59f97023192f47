// SPDX-License-Identifier: Apache-2.0
//
// Cross-entropy of logits against class indexes, one loss a row (reduce it with Reduce).
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

// (logits [B, K], target i64 [B]) -> (loss [B], lse [B]), both in the accumulation type; lse has no gradient. A target
// of `ignore` gives loss 0 and no gradient; a target outside [0, K) otherwise: data error with the row.
struct CrossEntropy {
  static constexpr std::string_view kName = "cross_entropy";
  std::int64_t ignore = -1;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 3, .outputs = 2}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const CrossEntropy&) const = default;
};

struct CrossEntropyBackward {  // (logits, target, lse, dloss [B]) -> dlogits = dloss · (softmax − onehot)
  static constexpr std::string_view kName = "cross_entropy_backward";
  std::int64_t ignore = -1;
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const CrossEntropyBackward&) const = default;
};

}  // namespace strata::ops
