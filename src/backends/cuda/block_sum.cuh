// SPDX-License-Identifier: Apache-2.0
//
// Sums over a warp and over a block of kThreads, in an order that depends on nothing.
#pragma once

#include "backends/cuda/launch.hpp"

namespace strata::cuda {

// In every lane.
template <class A>
__device__ __forceinline__ A warp_sum(A value) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xffffffffu, value, lanes);
  return value;
}

// In thread 0. All threads of the block call it; it may be called again at once.
template <class A>
__device__ __forceinline__ A block_sum(A value) {
  constexpr unsigned kWarps = kThreads / 32;
  __shared__ A parts[kWarps];
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  value = warp_sum(value);
  __syncthreads();  // a call before this one has read its parts
  if (lane == 0) parts[warp] = value;
  __syncthreads();
  if (warp == 0) value = warp_sum(lane < kWarps ? parts[lane] : A{0});
  return value;
}

}  // namespace strata::cuda
