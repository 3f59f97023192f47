// SPDX-License-Identifier: Apache-2.0
//
// Rows in registers: a group of threads, a warp or a block, holds a row over all passes, each thread K packs of V
// elements; what a row has beyond that is read again in each pass. Who holds which element, and so the order of sums,
// follows from the width and the type alone, not from alignment.
#pragma once

#include <algorithm>

#include "backends/cuda/group.cuh"
#include "backends/cuda/launch.cuh"
#include "backends/cuda/types.cuh"

namespace strata::cuda {

struct Rows {
  std::int64_t count = 0, width = 0;
};
inline Rows rows_of(const Shape& shape) {
  return shape.ndim() == 0 ? Rows{1, 1} : Rows{shape.outer(shape.ndim() - 1), shape[-1]};
}
// Kernels count columns in 32 bits.
inline bool columns_fit(const TensorSpec& x) { return x.shape.ndim() == 0 || x.shape[-1] < (1 << 30); }
template <class Op>
bool serves_rows(const Op&, Specs inputs) {
  return columns_fit(inputs[0]);
}

// kPacked: V elements lie on an address of their size, and rows end with a pack.
template <int kGroup, int kPacks, int kWidth, bool kAligned>
struct RowLayout {
  static constexpr int G = kGroup, K = kPacks, V = kWidth;
  static constexpr bool kPacked = kAligned;
};

// Calls f with the layout of rows of X, a Launch, and nothing else to choose. Lean: a thread holds less of a row, for
// kernels that hold more than a row; the groups of a block then go from row to row together.
template <class X, bool Lean = false, class F>
void with_row_layout(const Rows& rows, bool packed, F f) {
  constexpr int V = 16 / sizeof(X), K = 128 / sizeof(Accumulation<X>) / V;  // of a long row in a warp
  const auto blocks = [&](std::int64_t each) {
    return static_cast<unsigned>(std::clamp<std::int64_t>((rows.count + each - 1) / each, 1, kMostBlocks));
  };
  const auto choose = [&]<bool P>(std::bool_constant<P>) {
    if (rows.width <= 32 * V * K / 4)
      f(RowLayout<32, K / 4, V, P>{}, Launch{.blocks = blocks(4), .threads = 128});
    else if (rows.width <= 32 * V * K) {
      if constexpr (Lean)
        f(RowLayout<128, K / 4, V, P>{}, Launch{.blocks = blocks(2), .threads = 256});
      else
        f(RowLayout<32, K, V, P>{}, Launch{.blocks = blocks(4), .threads = 128});
    } else
      f(RowLayout<256, K / 2, V, P>{}, Launch{.blocks = blocks(1), .threads = 256});
  };
  if (packed)
    choose(std::true_type{});
  else
    choose(std::false_type{});
}

// The rows of a group: for (r = first_row<L>(); r < rows; r += all_rows<L>()).
template <class L>
__device__ __forceinline__ std::int64_t first_row() {
  return static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / L::G) + threadIdx.x / L::G;
}
template <class L>
__device__ __forceinline__ std::int64_t all_rows() {
  return static_cast<std::int64_t>(gridDim.x) * (blockDim.x / L::G);
}

// The column where the thread's pack k begins.
template <class L>
__device__ __forceinline__ int column(int k) {
  return (static_cast<int>(threadIdx.x % L::G) + k * L::G) * L::V;
}
template <class L>
__device__ __forceinline__ bool in_row(int c, int width) {
  return L::kPacked || c < width;
}

// Columns [c, c + V) of a row into v[at..]; those behind its end are 0.
template <class L, class T, class A, int N>
__device__ __forceinline__ void load(const T* row, int c, int width, A (&v)[N], int at = 0) {
  if constexpr (L::kPacked) {
    constexpr int P = L::V * sizeof(T) <= 16 ? L::V : 16 / sizeof(T);
#pragma unroll
    for (int i = 0; i < L::V; i += P) {
      const auto pack = *reinterpret_cast<const Pack<T, P>*>(row + c + i);
#pragma unroll
      for (int j = 0; j < P; ++j) v[at + i + j] = widen(pack.v[j]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < L::V; ++i) v[at + i] = c + i < width ? static_cast<A>(widen(row[c + i])) : A{0};
  }
}

template <class L, class T, class A, int N>
__device__ __forceinline__ void store(T* row, int c, int width, const A (&v)[N], int at = 0) {
  if constexpr (L::kPacked) {
    constexpr int P = L::V * sizeof(T) <= 16 ? L::V : 16 / sizeof(T);
#pragma unroll
    for (int i = 0; i < L::V; i += P) {
      Pack<T, P> pack;
#pragma unroll
      for (int j = 0; j < P; ++j) pack.v[j] = narrow<T>(v[at + i + j]);
      *reinterpret_cast<Pack<T, P>*>(row + c + i) = pack;
    }
  } else {
#pragma unroll
    for (int i = 0; i < L::V; ++i)
      if (c + i < width) row[c + i] = narrow<T>(v[at + i]);
  }
}

// f(column, pack) for what is in registers, f(column) for the rest of the row.
template <class L, class A, int N, class F>
__device__ __forceinline__ void for_cached(A (&row)[L::K][N], int width, F f) {
#pragma unroll
  for (int k = 0; k < L::K; ++k)
    if (column<L>(k) < width) f(column<L>(k), row[k]);
}
template <class L, class F>
__device__ __forceinline__ void for_rest(int width, F f) {
  if constexpr (L::G == kBlock)  // smaller groups hold all of their rows
    for (int c = column<L>(L::K); c < width; c += L::G * L::V) f(c);
}
// Both: `read` brings packs of the rest.
template <class L, class A, int N, class Read, class F>
__device__ __forceinline__ void for_packs(A (&row)[L::K][N], int width, Read read, F f) {
  for_cached<L>(row, width, f);
  for_rest<L>(width, [&](int c) {
    A v[N];
    read(c, v);
    f(c, v);
  });
}

template <class L, class A>
__device__ __forceinline__ A group_sum(A value) {
  return group_sum<L::G>(value);
}

}  // namespace strata::cuda
