// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// Rows of `columns` elements, dense, in float or in bf16 (as uint16_t). Sums in float over 16 lanes, then lanes by
// halves.
template <class T>
struct SoftmaxOf {
  void (*forward)(const T* x, T* y, std::int64_t rows, std::int64_t columns);
  void (*backward)(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t columns);
  // A row's largest element, and the sum of exp(x − largest): together the logarithm of the sum of exponentials.
  void (*log_sum)(const T* x, float* largest, float* sum, std::int64_t rows, std::int64_t columns);
  void (*exponentials)(const T* x, float shift, float factor, T* y, std::int64_t columns);  // factor · exp(x − shift)
};
struct SoftmaxSimd {
  SoftmaxOf<float> f32;
  SoftmaxOf<std::uint16_t> bf16;
};
STRATA_PER_ISA(SoftmaxSimd, softmax_simd);

}  // namespace strata::cpu
