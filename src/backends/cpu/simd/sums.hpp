// SPDX-License-Identifier: Apache-2.0
//
// Sums in double, over 16 lanes and then lanes by halves: whoever needs a longer sum adds chunks of fixed length in
// their order.
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// T: float, or uint16_t holding bf16.
template <class T>
struct SumsOf {
  double (*sum)(const T* x, std::int64_t n);
  // sums[c] += x[r][c] over `rows` rows that are `stride` apart, eight rows at a time.
  void (*columns)(const T* x, std::int64_t stride, std::int64_t rows, std::int64_t columns, double* sums);
};
struct SumsSimd {
  SumsOf<float> f32;
  SumsOf<std::uint16_t> bf16;
};
STRATA_PER_ISA(SumsSimd, sums_simd);

}  // namespace strata::cpu
