// SPDX-License-Identifier: Apache-2.0
//
// One head of one segment of attention, forward and backward. Memory holds float or bf16 (as std::uint16_t); lse, all
// statistics and all sums are f32. The caller cuts the work into such problems, deals them to threads and lends each a
// piece of scratch memory; here are the blocks, the packing and the arithmetic. Processors that multiply bf16 have
// kernels of their own for it (simd/bf16); elsewhere bf16 is widened while it is packed.
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// Rows that lie `stride` elements apart.
template <class T>
struct Matrix {
  T* data;
  std::int64_t stride;
};

// q [queries, head_width]; k, v [keys, head_width]; head_width a multiple of 8 up to 128.
template <class T>
struct AttentionProblem {
  Matrix<const T> q, k, v;
  std::int64_t queries, keys, head_width;
  float scale;
};

// What the backward reads besides. o, d_o [queries, head_width]; lse, d_lse [queries]; d_lse may be null.
template <class T>
struct AttentionCotangents {
  Matrix<const T> o, d_o;
  const float* lse;
  const float* d_lse;
};

// All scratch is counted in floats.
template <class T>
struct AttentionSimd {
  std::int64_t (*forward_scratch)(std::int64_t head_width, std::int64_t queries);
  void (*forward)(const AttentionProblem<T>& problem, Matrix<T> o, float* lse, float* scratch);

  // The keys of a segment may be cut into several problems. Each adds its share to `dq`, which is dq_floats long, zero
  // at first, and in an order of the kernel's own; write_dq then makes a matrix of it. dk and dv are overwritten.
  std::int64_t (*backward_scratch)(std::int64_t head_width, std::int64_t keys);
  std::int64_t (*dq_floats)(std::int64_t head_width, std::int64_t queries);
  void (*backward)(const AttentionProblem<T>& problem, const AttentionCotangents<T>& cotangents, float* dq,
                   Matrix<T> dk, Matrix<T> dv, float* scratch);
  void (*write_dq)(const float* dq, std::int64_t queries, std::int64_t head_width, float scale, Matrix<T> into);
};
STRATA_PER_ISA(AttentionSimd<float>, attention_f32_simd);
STRATA_PER_ISA_BF16(AttentionSimd<std::uint16_t>, attention_bf16_simd);

}  // namespace strata::cpu
