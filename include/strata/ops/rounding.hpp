// SPDX-License-Identifier: Apache-2.0
//
// Stochastic rounding of f32 to bf16: up or down at random, so that the mean over many draws is the number itself. For
// the compute copies of masters, behind the step ops (step.hpp): a weight whose changes are less than half a unit of
// its bf16 then moves all the same, on average. Not for gradients or activations: those are rounded to nearest even by
// the kernels that make them. Costs a pass of its own over masters and copies.
#pragma once

#include "strata/base/random.hpp"
#include "strata/ops/op.hpp"

namespace strata::ops {

// The upper half of `bits` (an f32) plus the lower half of `word`, carry and all. Infinities stay; what is carried past
// the largest number becomes infinite; a NaN stays one, quiet. What bf16 holds exactly is not changed.
constexpr std::uint16_t round_stochastically(std::uint32_t bits, std::uint32_t word) {
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + (word & 0xffffu)) >> 16);
}

// (draws i64 [n, 3], then n dense tensors in f32) -> each in bf16. Row i of `draws` is tensor i's (stream, step, first
// element), on the device, so that a captured graph draws anew when it is replayed: element e takes word (first + e) of
// stream (key, ordinal = stream, step). A tensor that was cut draws the same numbers as the whole.
struct RoundStochastically {
  static constexpr std::string_view kName = "round_stochastically";
  RandomKey key{0, RandomPurpose::rounding};
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const RoundStochastically&) const = default;

  // Where the stream of a row of `draws` stands; steps count up to 2^32.
  static RandomCounter counter(const std::int64_t* draw) {
    const auto step = static_cast<std::uint32_t>(draw[1]);
    return {.ordinal = static_cast<std::uint64_t>(draw[0]), .layer = step >> 20, .part = step & 0xfffffu};
  }
};

}  // namespace strata::ops
