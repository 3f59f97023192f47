// SPDX-License-Identifier: Apache-2.0
//
// Every logit as a yes or no of its own: the pairwise loss of SigLIP (Zhai et al., arXiv 2303.15343, eq. 1), where in
// each row one column is the match. When not: one class out of many (CrossEntropy). One loss a row; reduce it with
// Reduce. Cost: one pass over the logits.
#pragma once

#include <vector>

#include "strata/ops/op.hpp"

namespace strata::ops {

// (logits [B, K], target i64 [B]) -> loss [B] in the accumulation type: Σₖ ln(1 + exp(−zₖ·xₖ)) with z = 1 at the target
// and −1 elsewhere. A target of −1: no column matches. Another one outside [0, K): data error with the row.
struct SigmoidCrossEntropy {
  static constexpr std::string_view kName = "sigmoid_cross_entropy";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 3}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

struct SigmoidCrossEntropyBackward {  // (logits, target, dloss [B]) -> dlogits = dloss · (σ(x) − [k is the target])
  static constexpr std::string_view kName = "sigmoid_cross_entropy_backward";
  std::vector<TensorSpec> infer(Specs inputs) const;
};

}  // namespace strata::ops
