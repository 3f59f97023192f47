// SPDX-License-Identifier: Apache-2.0
//
// Distribution Φ and density φ of the normal distribution, for GELU, to the digits of the type they end in. All keep
// the digits of Φ far below 0, where 1 + erf loses them.
#pragma once

#include "backends/cuda/types.cuh"

namespace strata::cuda {

inline constexpr double kInverseSqrt2 = 0.70710678118654752440;
inline constexpr double kInverseSqrt2Pi = 0.39894228040143267794;

template <class A>
struct Normal {
  A distribution, density;
};

// To two units in the last place, what is subnormal as 0: one instruction each, where exp2f and a division look after
// every number.
#ifdef STRATA_CUDA_EMULATION
__device__ __forceinline__ float rough_exp2(float x) { return std::exp2(x); }
__device__ __forceinline__ float rough_inverse(float x) { return 1.0f / x; }
#else
__device__ __forceinline__ float rough_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
__device__ __forceinline__ float rough_inverse(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
#endif

// What is rounded to bf16: erfcf alone takes more instructions than the memory leaves time for. exp(t² / 2) · Φ(−t) is
// smooth for t >= 0: a polynomial of 1 / (1 + 0.38 t), with a relative error of 4e-5 (2^-14.6) at most up to t = 13.2,
// where f32 ends; found as the minimax of that error. Φ and φ share the exponential.
__device__ __forceinline__ Normal<float> rough_normal(float x) {
  constexpr float kHalfLog2E = 0.72134752044448170368f;
  const float u = rough_inverse(1.0f + 0.38f * fabsf(x)), exponential = rough_exp2(-kHalfLog2E * x * x);
  const float ratio = ((((-0.0899273f * u + 0.18887421f) * u + 0.09198144f) * u + 0.15782895f) * u + 0.15122519f) * u;
  const float below = exponential * ratio;
  return {x < 0 ? below : 1.0f - below, static_cast<float>(kInverseSqrt2Pi) * exponential};
}

template <class T>
__device__ __forceinline__ Normal<Accumulation<T>> normal_at(Accumulation<T> x) {
  if constexpr (std::is_same_v<T, double>)
    return {0.5 * erfc(-x * kInverseSqrt2), kInverseSqrt2Pi * exp(-0.5 * x * x)};
  else if constexpr (std::is_same_v<T, float>)
    return {0.5f * erfcf(-x * static_cast<float>(kInverseSqrt2)),
            static_cast<float>(kInverseSqrt2Pi) * expf(-0.5f * x * x)};
  else
    return rough_normal(x);
}

}  // namespace strata::cuda
