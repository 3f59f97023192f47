// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// Dense rows of `columns`. gamma and beta may be null.
struct LayerNormSimd {
  void (*forward)(const float* x, const float* gamma, const float* beta, float* y, float* mean, float* rstd,
                  std::int64_t rows, std::int64_t columns, float epsilon);
  // Adds the rows' shares to dgamma and dbeta, unless those are null.
  void (*backward)(const float* x, const float* gamma, const float* mean, const float* rstd, const float* dy, float* dx,
                   float* dgamma, float* dbeta, std::int64_t rows, std::int64_t columns);
};
STRATA_PER_ISA(LayerNormSimd, layer_norm_simd);

}  // namespace strata::cpu
