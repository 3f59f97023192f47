// SPDX-License-Identifier: Apache-2.0
//
// Dropout and drop path with counter-based random numbers (strata/base/random.hpp): a draw depends on (seed, purpose,
// sample ordinal, layer, part, element) alone. `keys` i64 [n, 2] holds each segment's (sample ordinal, part) on the
// device, `offsets` i32 [n+1] its rows.
#pragma once

#include "strata/base/random.hpp"
#include "strata/ops/op.hpp"

namespace strata::ops {

// (x [T, C], keys, offsets) -> y: an element is 0 with probability `rate`, else scaled by 1 / (1 − rate). Element
// number: (row − offset)·C + column. An element stays when its uniform number in [0, 1) is ≥ rate. The gradient is the
// same op.
struct Dropout {
  static constexpr std::string_view kName = "dropout";
  static constexpr bool kCheap = true;
  double rate = 0.1;
  RandomKey key{0, RandomPurpose::dropout};
  std::uint32_t layer = 0;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 6}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Dropout&) const = default;
};

// keys -> factor [n] in `to`: 0 with probability `rate`, else 1 / (1 − rate): stochastic depth (Huang et al. 2016) for
// whole sequences.
struct DropPathFactors {
  static constexpr std::string_view kName = "drop_path_factors";
  double rate = 0.1;
  RandomKey key{0, RandomPurpose::drop_path};
  std::uint32_t layer = 0;
  DType to = DType::f32;
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const DropPathFactors&) const = default;
};

// (x [T, C], factor [n], offsets i32 [n+1]) -> each segment times its factor. No gradient flows to the factor.
struct ScaleSegments {
  static constexpr std::string_view kName = "scale_segments";
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 6}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
};

}  // namespace strata::ops
