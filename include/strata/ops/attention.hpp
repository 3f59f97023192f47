// SPDX-License-Identifier: Apache-2.0
//
// Scaled dot-product attention over segments: sequence i's queries are rows [q_offsets[i], q_offsets[i+1]) and see the
// keys and values of rows [k_offsets[i], k_offsets[i+1]); lengths are free, a sequence without keys gives o = 0 and lse
// = -inf. Heads are equal column blocks of `head_width`. Memory: nothing of size queries × keys on backends that can
// help it (online softmax, Milakov & Gimelshein 2018; recomputation in backward, Dao et al. 2022). FLOPs: 4·Tq·Tk·C
// forward, twice that backward.
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

// (q [Tq, C], k [Tk, C], v [Tk, C], q_offsets i32 [n+1], k_offsets i32 [n+1]) -> (o [Tq, C], lse [A, Tq] in the
// accumulation type). q, k, v may be row-dense views (column blocks of a fused qkv). lse = log sum exp(scale · q·k);
// both outputs carry gradients.
struct Attention {
  static constexpr std::string_view kName = "attention";
  static constexpr bool kStridedInputs = true;
  std::int64_t head_width = 64;  // a multiple of 8 up to 128
  double scale = 0.125;
  std::int64_t longest_query = 0;  // of any segment; sizes launches, never changes numbers
  std::int64_t longest_key = 0;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 31, .outputs = 3}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Attention&) const = default;
};

// (q, k, v, q_offsets, k_offsets, o, lse, do [Tq, C], dlse [A, Tq] or none) -> (dq, dk, dv). Outputs may be row-dense
// views: the gradient rule hands out three column blocks of one [T, 3C] buffer when q, k and v are such blocks of one
// tensor.
struct AttentionBackward {
  static constexpr std::string_view kName = "attention_backward";
  static constexpr bool kStridedInputs = true;
  std::int64_t head_width = 64;
  double scale = 0.125;
  std::int64_t longest_query = 0;
  std::int64_t longest_key = 0;
  std::vector<TensorSpec> infer(Specs inputs) const;
  bool operator==(const AttentionBackward&) const = default;
};

}  // namespace strata::ops
