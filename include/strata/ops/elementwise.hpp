// SPDX-License-Identifier: Apache-2.0
//
// Elementwise arithmetic. The second operand may be as large as the first or a suffix of its shape ([C] onto [T, C]),
// which is then repeated. Cost: one pass over the memory. run_into: the output may alias the first input (and the
// second, when shapes are equal).
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

// a + b. b may have another floating type than a (a branch in bf16 onto rows in f32); the sum has a's.
struct Add {
  static constexpr std::string_view kName = "add";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

struct Mul {  // a · b
  static constexpr std::string_view kName = "mul";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t needs) const;
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

struct Scale {  // alpha · x
  static constexpr std::string_view kName = "scale";
  double alpha = 1;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Scale&) const = default;
};

struct Clamp {  // min(max(x, low), high); what is not a number stays. For values that are watched over, not trained
                // through
  static constexpr std::string_view kName = "clamp";
  double low = 0, high = 1;
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const Clamp&) const = default;
};

Tensor add(Context& ctx, const Tensor& a, const Tensor& b);
// a += b, in place; shapes equal. b may have another floating type.
void accumulate(Context& ctx, const Tensor& a, const Tensor& b);

}  // namespace strata::ops
