// SPDX-License-Identifier: Apache-2.0
//
// Streams: kernels that do no more than load, change and store. What they need is bytes on their way, about 40 KB a
// multiprocessor, so a thread loads several packs before it stores the first of them; the compiler cannot do that by
// itself, because a store might change what the next load reads.
#pragma once

#include "backends/cuda/launch.cuh"
#include "backends/cuda/types.cuh"

namespace strata::cuda {

// Loads of a thread at once, of kernels with one operand and with two.
inline constexpr int kOfOne = 4, kOfTwo = 2;

// put(i, get(i)) for i = first, first + step, … below end, U at a time.
template <int U, class I, class Get, class Put>
__device__ __forceinline__ void stream(I first, I end, I step, Get get, Put put) {
#pragma unroll 1  // U are enough; unrolled further, loads were spread again
  for (I i = first; i < end; i += U * step) {
    decltype(get(i)) held[U];
#pragma unroll
    for (int u = 0; u < U; ++u)
      if (i + u * step < end) held[u] = get(i + u * step);
#pragma unroll
    for (int u = 0; u < U; ++u)
      if (i + u * step < end) put(i + u * step, held[u]);
  }
}

// The same for the items of the block's tile, of a grid over_tiles<U>(items).
template <int U, class Get, class Put>
__device__ __forceinline__ void stream_tile(std::int64_t items, Get get, Put put) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * (U * kThreads) + threadIdx.x;
  decltype(get(first)) held[U];
#pragma unroll
  for (int u = 0; u < U; ++u)
    if (first + u * kThreads < items) held[u] = get(first + u * kThreads);
#pragma unroll
  for (int u = 0; u < U; ++u)
    if (first + u * kThreads < items) put(first + u * kThreads, held[u]);
}

}  // namespace strata::cuda
