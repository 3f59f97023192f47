// SPDX-License-Identifier: Apache-2.0
//
// Optimizer arithmetic on one piece of one tensor, in f32 and in place. Every element is rounded after each operation
// and products are never contracted, so the bits do not depend on the instruction set; sums of squares are formed in
// f64 (products of two floats are exact there) in sixteen fixed lanes.
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// Pointers to the piece's first element. The gradient is f32 or bf16: exactly one of g and g_half is given. `copy`
// (bf16) may be null.
struct StepPiece {
  std::int64_t n;
  float* p;
  const float* g;
  const std::uint16_t* g_half;
  float* m;
  float* v;
  std::uint16_t* copy;
};

// Names as in ops/step.hpp; `keep` = 1 − lr·weight_decay, `l2` the decay added to the gradient.
struct AdamScalars {
  float factor, keep, l2, blend1, beta2, blend2, step, root_scale, eps;
};
struct SgdScalars {
  float factor, l2, lr, momentum, blend;
  bool nesterov;
};
struct LionScalars {
  float factor, keep, lr, beta1, blend1, beta2, blend2;
};
struct LambScalars {
  float factor, decay, blend1, beta2, blend2, inverse_bias1, root_scale, eps;
};
struct LambSums {
  double p_squared, u_squared;
};

struct StepSimd {
  void (*adamw)(const StepPiece&, const AdamScalars&);
  void (*sgd)(const StepPiece&, const SgdScalars&);        // m given
  void (*sgd_plain)(const StepPiece&, const SgdScalars&);  // without momentum
  void (*lion)(const StepPiece&, const LionScalars&);
  LambSums (*lamb_moments)(const StepPiece&, const LambScalars&);                  // writes m and v
  void (*lamb_apply)(const StepPiece&, const LambScalars&, float lr_times_ratio);  // reads m and v, writes p and copy
  double (*squares_f32)(const float*, std::int64_t n);
  double (*squares_bf16)(const std::uint16_t*, std::int64_t n);
  double (*squares_f64)(const double*, std::int64_t n);
  void (*ema)(float* e, const float* p, std::int64_t n, float blend);
};
STRATA_PER_ISA(StepSimd, step_simd);

}  // namespace strata::cpu
