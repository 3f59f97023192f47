// SPDX-License-Identifier: Apache-2.0
//
// Joining tensors along an axis, and taking them apart again.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

struct Concat {  // n tensors, equal but for `axis` -> one
  static constexpr std::string_view kName = "concat";
  static constexpr bool kStridedInputs = true;
  int axis = 0;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Concat&) const = default;
};

// Column blocks [begin, end) of the last axis as views of x, without a copy; used through Tape::columns, whose gradient
// returns the buffer that holds the blocks' gradients side by side when they lie so already (see join_columns), and
// copies otherwise.
std::vector<Tensor> split_columns(const Tensor& x, const std::vector<std::int64_t>& widths);
Tensor join_columns(Context& ctx, Inputs blocks, const std::vector<std::int64_t>& widths,
                    const TensorSpec& whole);  // undefined blocks count as 0

}  // namespace strata::ops
