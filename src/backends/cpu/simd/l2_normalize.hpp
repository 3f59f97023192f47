// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// T: float, or uint16_t holding bf16.
template <class T>
struct L2NormalizeOf {
  void (*forward)(const T* x, T* y, float* norm, std::int64_t rows, std::int64_t columns, float epsilon);
  void (*backward)(const T* y, const float* norm, const T* dy, T* dx, std::int64_t rows, std::int64_t columns,
                   float epsilon);
};
struct L2NormalizeSimd {
  L2NormalizeOf<float> f32;
  L2NormalizeOf<std::uint16_t> bf16;
};
STRATA_PER_ISA(L2NormalizeSimd, l2_normalize_simd);

}  // namespace strata::cpu
