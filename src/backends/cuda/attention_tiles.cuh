// SPDX-License-Identifier: Apache-2.0
//
// How a block of attention.cu works: it owns a tile of rows of one segment and one head, and streams the rows of the
// other side through shared memory. Heads are padded with zeros to D columns.
#pragma once

#include "backends/cuda/launch.cuh"
#include "backends/cuda/types.cuh"

namespace strata::cuda::tiles {

// Threads across a tile of products, and rows of it that each of them has. The 16 threads of a row are half a warp.
inline constexpr int kAcross = 16, kDown = 4;

template <class A, int D>
struct Tiles {
  static constexpr int kPack = 16 / sizeof(A);
  static constexpr int kOwnRows = (sizeof(A) == 4 ? 64 : 32) / (D <= 64 ? 1 : 2),
                       kOther = kOwnRows < 32 ? kOwnRows : 32;  // rows
  static constexpr int kThreads = kOwnRows / kDown * kAcross;
  // From one row to the next in shared memory: not in the same banks.
  static constexpr int kStride = D + kPack, kWeightStride = kOther + kPack;
  static constexpr int kOwnSize = kOwnRows * kStride, kOtherSize = kOther * kStride,
                       kWeights = kOwnRows * kWeightStride;
};

template <class T>
struct Matrix {
  T* data;
  std::int64_t stride;
  bool packed;  // may be read and written 16 bytes at a time
};

// The block's rows [begin, end), and those of the other side that they meet.
struct Work {
  std::int64_t begin, end, first, last;
};

// Tiles begin with a segment. Segment s has at most own[s+1]/kRows - own[s]/kRows + 1, so it may count its own from
// own[s]/kRows + s on: some blocks get no rows, and nobody needs a list.
template <int kRows>
__device__ Work find_work(const std::int32_t* own, const std::int32_t* other, int segments) {
  const auto tile = static_cast<int>(blockIdx.x);
  int low = 0, high = segments - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (own[middle] / kRows + middle <= tile)
      low = middle;
    else
      high = middle - 1;
  }
  const std::int64_t begin = own[low] + static_cast<std::int64_t>(tile - own[low] / kRows - low) * kRows;
  const std::int64_t end = own[low + 1];
  return {begin, begin + kRows < end ? begin + kRows : end, other[low], other[low + 1]};
}

__device__ __forceinline__ int across() { return static_cast<int>(threadIdx.x) % kAcross; }
__device__ __forceinline__ int first_row() { return static_cast<int>(threadIdx.x) / kAcross * kDown; }

// Rows [begin, end) of the block's head into a tile of kRows, zeros where there are none.
template <int D, int kRows, class T, class A>
__device__ void load(A* tile, const Matrix<const T>& from, std::int64_t begin, std::int64_t end, int head_width) {
  using Tile = Tiles<A, D>;
  constexpr int V = 16 / sizeof(T), kPacks = D / V;
  const T* data = from.data + static_cast<std::int64_t>(blockIdx.y) * head_width;
  for (int i = static_cast<int>(threadIdx.x); i < kRows * kPacks; i += Tile::kThreads) {
    const int row = i / kPacks, column = i % kPacks * V;
    Pack<T, V> got{};
    if (begin + row < end && column < head_width) {
      const T* at = data + (begin + row) * from.stride + column;
      if (from.packed) {
        got = *reinterpret_cast<const Pack<T, V>*>(at);
      } else {
#pragma unroll
        for (int k = 0; k < V; ++k) got.v[k] = at[k];
      }
    }
#pragma unroll
    for (int part = 0; part < V; part += Tile::kPack) {
      Pack<A, Tile::kPack> wide;
#pragma unroll
      for (int k = 0; k < Tile::kPack; ++k) wide.v[k] = widen(got.v[part + k]);
      *reinterpret_cast<Pack<A, Tile::kPack>*>(tile + row * Tile::kStride + column + part) = wide;
    }
  }
}

// The thread's products of rows: sums[i][j] = a's row first_row() + i · b's row across() + 16 j.
template <int D, int N, class A>
__device__ __forceinline__ void multiply_rows(const A* a, const A* b, A (&sums)[kDown][N]) {
  using Tile = Tiles<A, D>;
  using P = Pack<A, Tile::kPack>;
  a += first_row() * Tile::kStride;
  b += across() * Tile::kStride;
#pragma unroll
  for (int i = 0; i < kDown; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j) sums[i][j] = 0;
#pragma unroll 4
  for (int c = 0; c < D; c += Tile::kPack) {
    P x[kDown], y[N];
#pragma unroll
    for (int i = 0; i < kDown; ++i) x[i] = *reinterpret_cast<const P*>(a + i * Tile::kStride + c);
#pragma unroll
    for (int j = 0; j < N; ++j) y[j] = *reinterpret_cast<const P*>(b + j * kAcross * Tile::kStride + c);
#pragma unroll
    for (int k = 0; k < Tile::kPack; ++k)
#pragma unroll
      for (int i = 0; i < kDown; ++i)
#pragma unroll
        for (int j = 0; j < N; ++j) sums[i][j] += x[i].v[k] * y[j].v[k];
  }
}

// The columns of D that sums[i][c] of a thread are.
__device__ __forceinline__ int column_of(int c) { return c / 2 * 2 * kAcross + 2 * across() + c % 2; }

// sums += weights · tile. The half warp reads the rows of weights that it wrote itself.
template <int D, class A>
__device__ __forceinline__ void add_weighted(const A* weights, const A* tile, A (&sums)[kDown][D / kAcross]) {
  using Tile = Tiles<A, D>;
  using P = Pack<A, Tile::kPack>;
  __syncwarp();
  weights += first_row() * Tile::kWeightStride;
#pragma unroll 2
  for (int j = 0; j < Tile::kOther; j += Tile::kPack) {
    P w[kDown];
#pragma unroll
    for (int i = 0; i < kDown; ++i) w[i] = *reinterpret_cast<const P*>(weights + i * Tile::kWeightStride + j);
#pragma unroll
    for (int k = 0; k < Tile::kPack; ++k)
#pragma unroll
      for (int c = 0; c < D / kAcross; c += 2) {
        const auto x = *reinterpret_cast<const Pack<A, 2>*>(tile + (j + k) * Tile::kStride + column_of(c));
#pragma unroll
        for (int i = 0; i < kDown; ++i) {
          sums[i][c] += w[i].v[k] * x.v[0];
          sums[i][c + 1] += w[i].v[k] * x.v[1];
        }
      }
  }
  __syncwarp();
}

template <int D, int N, class A>
__device__ __forceinline__ void put_weights(A* weights, const A (&values)[kDown][N]) {
#pragma unroll
  for (int i = 0; i < kDown; ++i)
#pragma unroll
    for (int j = 0; j < N; ++j)
      weights[(first_row() + i) * Tiles<A, D>::kWeightStride + across() + j * kAcross] = values[i][j];
}

// to = factors · sums, in the block's rows and head.
template <int D, class T, class A>
__device__ __forceinline__ void write(const Matrix<T>& to, const Work& work, int head_width,
                                      const A (&sums)[kDown][D / kAcross], const A (&factors)[kDown]) {
  T* data = to.data + static_cast<std::int64_t>(blockIdx.y) * head_width;
#pragma unroll
  for (int i = 0; i < kDown; ++i) {
    const std::int64_t row = work.begin + first_row() + i;
    if (row >= work.end) return;
#pragma unroll
    for (int c = 0; c < D / kAcross; c += 2) {
      if (column_of(c) >= head_width) continue;
      const Pack<T, 2> pair{narrow<T>(factors[i] * sums[i][c]), narrow<T>(factors[i] * sums[i][c + 1])};
      T* at = data + row * to.stride + column_of(c);
      if (to.packed) {
        *reinterpret_cast<Pack<T, 2>*>(at) = pair;
      } else {
        at[0] = pair.v[0];
        at[1] = pair.v[1];
      }
    }
  }
}

// Dynamic shared memory beyond 48 KiB must be allowed to a kernel before it is started.
template <class... Parameters>
void allow_shared(const char* name, void (*kernel)(Parameters...), std::size_t bytes, const Context& ctx) {
#ifdef STRATA_CUDA_EMULATION
  (void)name, (void)kernel, (void)bytes, (void)ctx;
#else
  if (bytes <= std::size_t{48} << 10) return;
  stream_of(ctx);  // the context's device is the thread's from here on
  check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)),
        name);
#endif
}

}  // namespace strata::cuda::tiles
