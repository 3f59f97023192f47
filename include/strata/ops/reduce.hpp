// SPDX-License-Identifier: Apache-2.0
//
// Sums and means over one axis or over everything. Sums run in a fixed order: fixed chunks, fixed tree, whatever the
// number of threads.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

enum class Reduction : std::uint8_t { sum, mean };

// x -> x without the axis; `everything`: a scalar []. The output has x's type, or with `wide` the accumulation type
// (sums are formed in that or a wider one).
struct Reduce {
  static constexpr std::string_view kName = "reduce";
  Reduction kind = Reduction::sum;
  int axis = 0;
  bool everything = false;
  bool wide = false;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Reduce&) const = default;
};

// The gradient of Reduce, and broadcasting in general: y has `shape`, x repeated along `axis` (or a scalar everywhere),
// times alpha.
struct Expand {
  static constexpr std::string_view kName = "expand";
  Shape shape;
  int axis = 0;
  bool everything = false;
  double alpha = 1;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Expand&) const = default;
};

// Sums x [.., C] (of shape `leading axes + suffix`) down to `suffix`: the gradient of a repeated operand. The sum is
// wide; without leading axes it is x itself.
Tensor sum_to_suffix(Context& ctx, const Tensor& x, const Shape& suffix);
Tensor sum_all(Context& ctx, const Tensor& x);

}  // namespace strata::ops
