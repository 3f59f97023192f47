// SPDX-License-Identifier: Apache-2.0
//
// One head of one segment of attention, forward and backward, in f32. The caller cuts the work into such problems,
// deals them to threads and lends each a piece of scratch memory; here are the blocks, the packing and the arithmetic.
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// Rows that lie `stride` floats apart.
struct ConstMatrix {
  const float* data;
  std::int64_t stride;
};
struct Matrix {
  float* data;
  std::int64_t stride;
};

// q [queries, head_width]; k, v [keys, head_width]; head_width a multiple of 8 up to 128.
struct AttentionProblem {
  ConstMatrix q, k, v;
  std::int64_t queries, keys, head_width;
  float scale;
};

// What the backward reads besides. o, d_o [queries, head_width]; lse, d_lse [queries]; d_lse may be null.
struct AttentionCotangents {
  ConstMatrix o, d_o;
  const float* lse;
  const float* d_lse;
};

struct AttentionSimd {
  std::int64_t (*forward_scratch)(std::int64_t head_width, std::int64_t queries);  // floats
  void (*forward)(const AttentionProblem& problem, Matrix o, float* lse, float* scratch);
  std::int64_t (*backward_scratch)(std::int64_t head_width, std::int64_t keys);  // floats
  // dq, dk, dv are overwritten. Where a segment's keys are cut into several problems, the sum of their dq is the
  // segment's.
  void (*backward)(const AttentionProblem& problem, const AttentionCotangents& cotangents, Matrix dq, Matrix dk,
                   Matrix dv, float* scratch);
};
STRATA_PER_ISA(AttentionSimd, attention_simd);

}  // namespace strata::cpu
