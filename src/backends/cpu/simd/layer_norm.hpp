// SPDX-License-Identifier: Apache-2.0
//
// Dense rows of `columns`, in float or in bf16 (as uint16_t); arithmetic is in float. gamma and beta may be null.
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// X: of the rows x; Y: of what is normed, and of its gradient.
template <class X, class Y>
struct LayerNormKernels {
  void (*forward)(const X* x, const float* gamma, const float* beta, Y* y, float* mean, float* rstd, std::int64_t rows,
                  std::int64_t columns, float epsilon);
  // h = x + branch, y = the norm of h as it is stored.
  void (*add_forward)(const X* x, const Y* branch, const float* gamma, const float* beta, X* h, Y* y, float* mean,
                      float* rstd, std::int64_t rows, std::int64_t columns, float epsilon);
  // dx gets `residual` added where that is not null, and is written once more to `narrowed` where that is not. Adds the
  // rows' shares to dgamma and dbeta, unless those are null.
  void (*backward)(const X* x, const float* gamma, const float* mean, const float* rstd, const Y* dy, const X* residual,
                   X* dx, std::uint16_t* narrowed, float* dgamma, float* dbeta, std::int64_t rows,
                   std::int64_t columns);
};

struct LayerNormSimd {
  LayerNormKernels<float, float> f32;
  LayerNormKernels<float, std::uint16_t> mixed;
  LayerNormKernels<std::uint16_t, std::uint16_t> bf16;
};
STRATA_PER_ISA(LayerNormSimd, layer_norm_simd);

}  // namespace strata::cpu
