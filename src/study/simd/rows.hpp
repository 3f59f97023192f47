// SPDX-License-Identifier: Apache-2.0
//
// What is done to rows of voxels, compiled once an instruction set (cmake/simd.cmake) and chosen at run time by what
// the processor has. Products and sums are not contracted, so every set gives the same bits. Plain pointers and
// extents: who calls judges arguments. rows.cpp includes nothing with inline functions, or the linker could keep a copy
// of one that not every processor can run.
#pragma once

#include <cstdint>

namespace strata::study {

// How a voxel is read: (x − low) · scale clipped to [0, 1] when it is windowed, else x − low; padding becomes `fill`.
struct ReadMap {
  float low = 0, scale = 1;
  bool windowed = false;
  bool has_padding = false;
  float padding = 0, fill = 0;
};

struct RowKernels {
  void (*read)(const ReadMap& map, const float* in, float* out, std::int64_t n);
  // out[i] = sum over k of weights[k] · rows[k][i]
  void (*combine)(const float* const* rows, const float* weights, std::int64_t taps, float* out, std::int64_t n);
  // out[i] = sum over k of weights[k·n + i] · in[first[i] + k]
  void (*gather)(const float* in, const std::int32_t* first, const float* weights, std::int64_t taps, float* out,
                 std::int64_t n);
  // ⌊clip((x − low) · scale, 0, 1) · levels + 1/2⌋
  void (*to_u8)(const float* in, std::uint8_t* out, std::int64_t n, float low, float scale);
  void (*to_i16)(const float* in, std::int16_t* out, std::int64_t n, float low, float scale);
  // Cubic B-spline coefficients of n samples, each a row of `width` values, `stride` apart; n > 1. `scratch`: [width].
  void (*spline)(float* rows, std::int64_t stride, std::int64_t n, std::int64_t width, float* scratch);
  // Smallest and largest of the values that are finite and not padding, into [2]; returns how many there are.
  std::int64_t (*measure)(const float* in, std::int64_t n, bool has_padding, float padding, float* low_high);
  // a + (b − a) · fraction; where one of them is padding, the nearer
  void (*blend)(const float* a, const float* b, float fraction, float padding, float* out, std::int64_t n);
};

const RowKernels& row_kernels();  // of the best instruction set here
// Of the set that comes before the best by `steps_back`, to compare them; null where there is none.
const RowKernels* earlier_row_kernels(int steps_back);

}  // namespace strata::study
