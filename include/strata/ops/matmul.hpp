// SPDX-License-Identifier: Apache-2.0
//
// Matrix products and what is fused into them. FLOPs: 2·m·n·k.
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
  bool weight = false;  // b is a weight, whose contents come again: a backend may keep it packed; numbers are the same
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Matmul&) const = default;
};

// (x [.., in], weight [out, in], bias [out] or none, residual [.., out] or none) -> y [.., out] = residual + f(x) ·
// weightᵀ + bias, where f is the identity, or with `gelu` the exact GELU (strata/ops/gelu.hpp). x may be a row-dense
// view. A weight of more dimensions (a convolution's [out, channels, pd, ph, pw]) is read as [out, the product of the
// others]. y has x's type, or the residual's, which is x's or the accumulation type (f32 rows between bf16 products).
// gelu(x) need not exist as a whole: backends form it a few rows at a time, rounded to x's type, and again in backward.
struct Linear {
  static constexpr std::string_view kName = "linear";
  static constexpr bool kStridedInputs = true;
  bool gelu = false;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Linear&) const = default;
};

// What Linear{.gelu} needs in backward: (dy [T, out], weight [out, in], x [T, in]) -> (dx [T, in] = dy · weight ·
// gelu'(x), gelu(x) [T, in]); all of one type. dy may be a row-dense view.
struct GeluLinearBackward {
  static constexpr std::string_view kName = "gelu_linear_backward";
  static constexpr bool kStridedInputs = true;
  std::vector<TensorSpec> infer(Specs inputs) const;
};

// What Linear's parameters get in backward, dy read once: (dy [T, out], x [T, in]) -> (dweight [out, in] = dyᵀ · x,
// dbias [out] = the sum of dy's rows), both in the accumulation type. Both inputs may be row-dense views.
struct LinearParametersBackward {
  static constexpr std::string_view kName = "linear_parameters_backward";
  static constexpr bool kStridedInputs = true;
  std::vector<TensorSpec> infer(Specs inputs) const;
};

Tensor matmul(Context& ctx, const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

}  // namespace strata::ops
