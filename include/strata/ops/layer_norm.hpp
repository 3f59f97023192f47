// SPDX-License-Identifier: Apache-2.0
//
// Layer normalisation over the last axis (Ba et al. 2016) with biased variance, computed from deviations (not E[x²] −
// E[x]²); alone, and behind a residual sum. Statistics and products are formed in the accumulation type or wider. In a
// mixed model the rows x are f32 and what goes on, y, is bf16. Cost: one pass over the memory each.
#pragma once

#include <optional>

#include "strata/ops/op.hpp"

namespace strata::ops {

// (x [.., C], gamma [C] or none, beta [C] or none) -> (y [.., C], mean [R], rstd [R]), R = rows. y has the type
// `output`: x's (the default) or a narrower one. gamma and beta have x's type or the accumulation type; mean and rstd
// the accumulation type and no gradient.
struct LayerNorm {
  static constexpr std::string_view kName = "layer_norm";
  static constexpr bool kCheap = true;
  double epsilon = 1e-6;
  std::optional<DType> output{};
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const LayerNorm&) const = default;
};

// (x [.., C], branch [.., C], gamma or none, beta or none) -> (h = x + branch in x's type, y = LN(h), mean, rstd): a
// residual sum and the norm behind it. y equals, bit by bit, LayerNorm of the h that is returned. branch has x's type
// or a narrower one. Checkpointing computes y again from h.
struct AddLayerNorm {
  static constexpr std::string_view kName = "add_layer_norm";
  static constexpr bool kCheap = true;
  static constexpr std::uint32_t kRecomputed = 2;
  double epsilon = 1e-6;
  std::optional<DType> output{};
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  Saved recompute_reads() const { return {.inputs = 12, .outputs = 1}; }
  std::vector<Tensor> recompute(Context& ctx, Inputs inputs, Inputs outputs) const;
  bool operator==(const AddLayerNorm&) const = default;
};

// (x, gamma or none, mean, rstd, dy, dresidual or none) -> (dx, dgamma, dbeta), and with `narrowed` a fourth output: dx
// once more in that type. dy has x's type or a narrower one. dresidual, of x's type, is what arrives at x past the
// norm: it is added to dx. dgamma and dbeta are [C] in gamma's type (x's accumulation type without gamma), or undefined
// when `parameters` is false. Column sums run over fixed chunks of rows in a fixed order.
struct LayerNormBackward {
  static constexpr std::string_view kName = "layer_norm_backward";
  bool parameters = true;
  std::optional<DType> narrowed{};
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const LayerNormBackward&) const = default;
};

}  // namespace strata::ops
