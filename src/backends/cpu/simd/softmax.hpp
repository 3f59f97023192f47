// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// Rows of `columns` elements, dense. Sums over 16 lanes, then lanes by halves.
struct SoftmaxSimd {
  void (*forward)(const float* x, float* y, std::int64_t rows, std::int64_t columns);
  void (*backward)(const float* y, const float* dy, float* dx, std::int64_t rows, std::int64_t columns);
  // A row's largest element, and the sum of exp(x − largest): together the logarithm of the sum of exponentials.
  void (*log_sum)(const float* x, float* largest, float* sum, std::int64_t rows, std::int64_t columns);
  void (*exponentials)(const float* x, float shift, float factor, float* y,
                       std::int64_t columns);  // factor · exp(x − shift)
};
STRATA_PER_ISA(SoftmaxSimd, softmax_simd);

}  // namespace strata::cpu
