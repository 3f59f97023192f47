// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

struct L2NormalizeSimd {
  void (*forward)(const float* x, float* y, float* norm, std::int64_t rows, std::int64_t columns, float epsilon);
  void (*backward)(const float* y, const float* norm, const float* dy, float* dx, std::int64_t rows,
                   std::int64_t columns, float epsilon);
};
STRATA_PER_ISA(L2NormalizeSimd, l2_normalize_simd);

}  // namespace strata::cpu
