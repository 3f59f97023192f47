// SPDX-License-Identifier: Apache-2.0
//
// What losses of rows of logits share: which threads take a row.
#pragma once

#include <algorithm>

#include "backends/cuda/launch.cuh"
#include "backends/cuda/types.cuh"

namespace strata::cuda {

// A warp takes a row, or, where rows are wide, a block; a thread takes V elements at a time, as one where they are
// Packed. Who takes what follows from the width and the type alone: a row's bits depend neither on its address nor on
// how many there are.
inline constexpr std::int64_t kWideRow = 512;

template <bool Wide, int V, bool Packed>
struct RowThreads {
  static constexpr bool kWide = Wide;
  static constexpr int kPack = V;
  static constexpr unsigned kLanes = Wide ? kThreads : 32, kRows = kThreads / kLanes;  // a block

  __device__ static unsigned lane() { return threadIdx.x % kLanes; }
  __device__ static std::int64_t first_row() {
    return static_cast<std::int64_t>(blockIdx.x) * kRows + threadIdx.x / kLanes;
  }
  __device__ static std::int64_t all_rows() { return static_cast<std::int64_t>(gridDim.x) * kRows; }
  // f(column, values) for each V columns that the calling thread takes; columns behind the row's end hold `beyond`.
  template <class T, class F>
  __device__ __forceinline__ static void each(const T* row, std::int64_t width, Accumulation<T> beyond, F&& f) {
    for (std::int64_t c = lane() * V; c < width; c += kLanes * V) {
      Accumulation<T> x[V];
      if constexpr (Packed) {
        const auto pack = *reinterpret_cast<const Pack<T, V>*>(row + c);
#pragma unroll
        for (int k = 0; k < V; ++k) x[k] = widen(pack.v[k]);
      } else {
#pragma unroll
        for (int k = 0; k < V; ++k) x[k] = c + k < width ? widen(row[c + k]) : beyond;
      }
      f(c, x);
    }
  }
  // The V columns at c.
  template <class T>
  __device__ __forceinline__ static void store(T* row, std::int64_t c, std::int64_t width,
                                               const Accumulation<T> (&x)[V]) {
    if constexpr (Packed) {
      Pack<T, V> pack;
#pragma unroll
      for (int k = 0; k < V; ++k) pack.v[k] = narrow<T>(x[k]);
      *reinterpret_cast<Pack<T, V>*>(row + c) = pack;
    } else {
#pragma unroll
      for (int k = 0; k < V; ++k)
        if (c + k < width) row[c + k] = narrow<T>(x[k]);
    }
  }

  static Launch shape(std::int64_t rows) { return over((rows + kRows - 1) / kRows * kThreads); }
};

// Calls f with the RowThreads for rows of T.
template <class T, class F>
void with_row_threads(std::int64_t width, int pack, F&& f) {
  constexpr int V = 16 / sizeof(T);
  if (width > kWideRow) return pack == 1 ? f(RowThreads<true, V, false>{}) : f(RowThreads<true, V, true>{});
  return pack == 1 ? f(RowThreads<false, V, false>{}) : f(RowThreads<false, V, true>{});
}

}  // namespace strata::cuda
