// SPDX-License-Identifier: Apache-2.0
//
// Copies between views and conversions between element types. Cost: one pass over the memory.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

// Any strided view of up to six dimensions -> dense; through run_into also dense or strided -> strided, same shape.
struct Copy {
  static constexpr std::string_view kName = "copy";
  static constexpr bool kStridedInputs = true;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

// Element type `to`; float -> integer rounds to nearest even and saturates; float -> bf16 rounds to nearest even.
// Differentiable between floating types.
struct Cast {
  static constexpr std::string_view kName = "cast";
  DType to = DType::f32;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Cast&) const = default;
};

// Every element of an existing tensor (dense or strided) becomes `value`: for run_into, through `fill`.
struct Fill {
  static constexpr std::string_view kName = "fill";
  static constexpr bool kStridedInputs = true;
  double value = 0;
  TensorSpec output;  // what run_into was given
  std::vector<TensorSpec> infer(Specs) const { return {output}; }
  bool operator==(const Fill&) const = default;
};

Tensor cast(Context& ctx, const Tensor& x, DType to);  // the tensor itself when it has the type already
void fill(Context& ctx, const Tensor& into, double value);
Tensor zeros_like(Context& ctx, const TensorSpec& spec);
Tensor full(Context& ctx, DType dtype, const Shape& shape, double value);

}  // namespace strata::ops
