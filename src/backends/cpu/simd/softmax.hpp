// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// Rows of `columns` elements, dense. Sums over 16 lanes, then lanes by halves.
struct SoftmaxSimd {
  void (*forward)(const float* x, float* y, std::int64_t rows, std::int64_t columns);
  void (*backward)(const float* y, const float* dy, float* dx, std::int64_t rows, std::int64_t columns);
};
STRATA_PER_ISA(SoftmaxSimd, softmax_simd);

}  // namespace strata::cpu
