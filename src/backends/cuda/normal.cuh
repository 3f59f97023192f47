// SPDX-License-Identifier: Apache-2.0
//
// Distribution Φ and density φ of the normal distribution, for GELU. erfc keeps the digits of Φ far below 0, where 1 +
// erf loses them.
#pragma once

namespace strata::cuda {

inline constexpr double kInverseSqrt2 = 0.70710678118654752440;
inline constexpr double kInverseSqrt2Pi = 0.39894228040143267794;

__device__ __forceinline__ float normal_distribution(float x) {
  return 0.5f * erfcf(-x * static_cast<float>(kInverseSqrt2));
}
__device__ __forceinline__ double normal_distribution(double x) { return 0.5 * erfc(-x * kInverseSqrt2); }
__device__ __forceinline__ float normal_density(float x) {
  return static_cast<float>(kInverseSqrt2Pi) * expf(-0.5f * x * x);
}
__device__ __forceinline__ double normal_density(double x) { return kInverseSqrt2Pi * exp(-0.5 * x * x); }

}  // namespace strata::cuda
