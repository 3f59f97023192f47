// SPDX-License-Identifier: Apache-2.0
//
// Sums in double, over 16 lanes and then lanes by halves: whoever needs a longer sum adds chunks of fixed length in
// their order.
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

struct SumsSimd {
  double (*sum)(const float* x, std::int64_t n);
  double (*dot)(const float* a, const float* b, std::int64_t n);
  // sums[c] += x[r][c] over `rows` rows that are `stride` apart, eight rows at a time.
  void (*columns)(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t columns, double* sums);
};
STRATA_PER_ISA(SumsSimd, sums_simd);

}  // namespace strata::cpu
