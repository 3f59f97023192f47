// SPDX-License-Identifier: Apache-2.0
//
// Matrix products. FLOPs: 2·m·n·k.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

// a [M, K] · b [K, N] -> [M, N], or batched [G, M, K] · [G, K, N] -> [G, M, N]. transpose_a: a is stored [.., K, M];
// transpose_b: b is stored
// [.., N, K]. Inputs may be row-dense views (a leading dimension). Output type: the inputs' type, or with `wide` the
// accumulation type (weight gradients of bf16 models).
struct Matmul {
  static constexpr std::string_view kName = "matmul";
  static constexpr bool kStridedInputs = true;
  bool transpose_a = false;
  bool transpose_b = false;
  bool wide = false;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

// (x [.., in], weight [out, in], bias [out] or none) -> y [.., out] = x · weightᵀ + bias. x may be a row-dense view. A
// weight of more dimensions (a convolution's [out, channels, pd, ph, pw]) is read as [out, the product of the others].
struct Linear {
  static constexpr std::string_view kName = "linear";
  static constexpr bool kStridedInputs = true;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

Tensor matmul(Context& ctx, const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

}  // namespace strata::ops
