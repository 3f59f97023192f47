// SPDX-License-Identifier: Apache-2.0
//
// Reductions over a group of threads, a warp or several of a block of kThreads, in an order that depends on nothing.
#pragma once

#include "backends/cuda/launch.hpp"

namespace strata::cuda {

inline constexpr int kBlock = static_cast<int>(kThreads);

// Each value over the threads of a group, the same on all of them; in a fixed order. With groups of more than a warp
// all threads of the block call it.
template <int G, int N, class A, class F>
__device__ __forceinline__ void group_reduce(A (&values)[N], F f) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2)
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] = f(values[i], __shfl_xor_sync(0xffffffffu, values[i], lanes));
  if constexpr (G > 32) {
    __shared__ A parts[N][kThreads / 32];
    const unsigned warp = threadIdx.x / 32, first = threadIdx.x / G * (G / 32);
    __syncthreads();  // the last call's parts have been read
#pragma unroll
    for (int i = 0; i < N; ++i)
      if (threadIdx.x % 32 == 0) parts[i][warp] = values[i];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < N; ++i) {
      values[i] = parts[i][first];
#pragma unroll
      for (int other = 1; other < G / 32; ++other) values[i] = f(values[i], parts[i][first + other]);
    }
  }
}
template <int G, class A, class F>
__device__ __forceinline__ A group_reduce(A value, F f) {
  A values[1] = {value};
  group_reduce<G>(values, f);
  return values[0];
}
template <int G, class A>
__device__ __forceinline__ A group_sum(A value) {
  return group_reduce<G>(value, [](A a, A b) { return a + b; });
}

}  // namespace strata::cuda
