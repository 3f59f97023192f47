// SPDX-License-Identifier: Apache-2.0
//
// Many tensors in one launch: a batch of them is a kernel parameter, so that a captured graph needs no host memory.
// Tensors are cut into pieces of a fixed size, a block a piece.
#pragma once

#include <algorithm>
#include <vector>

#include "backends/cuda/launch.cuh"
#include "backends/cuda/types.cuh"

namespace strata::cuda {

// E has `numel`. Parameters of a kernel are 4 KB at most on all devices.
template <class E, int Most, int PieceSize>
struct Batch {
  using Entry = E;
  static constexpr int kMost = Most, kPieceSize = PieceSize;
  E entries[Most];
  unsigned first[Most + 1];  // block of each entry, and behind the last one their number
  int count;
  unsigned blocks() const { return first[count]; }
};

// What the calling block works on.
struct Piece {
  int entry;
  std::int64_t begin, end;
};
template <class E, int Most, int PieceSize>
__device__ __forceinline__ Piece own_piece(const Batch<E, Most, PieceSize>& batch) {
  int low = 0, high = batch.count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (batch.first[middle] <= blockIdx.x)
      low = middle;
    else
      high = middle - 1;
  }
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x - batch.first[low]) * PieceSize;
  const std::int64_t rest = batch.entries[low].numel - begin;
  return {low, begin, begin + (rest < PieceSize ? rest : PieceSize)};
}

// Calls f(batch, index of its first entry) for as many batches as it takes.
template <class B, class F>
void each_batch(const std::vector<typename B::Entry>& entries, F&& f) {
  static_assert(sizeof(B) <= 4096 - 64);
  for (std::size_t at = 0; at < entries.size(); at += B::kMost) {
    B batch{};
    batch.count = static_cast<int>(std::min<std::size_t>(B::kMost, entries.size() - at));
    for (int i = 0; i < batch.count; ++i) {
      batch.entries[i] = entries[at + static_cast<std::size_t>(i)];
      const auto pieces = (batch.entries[i].numel + B::kPieceSize - 1) / B::kPieceSize;
      batch.first[i + 1] = batch.first[i] + static_cast<unsigned>(pieces);
    }
    f(batch, at);
  }
}

// Elements that a thread takes at a time in a tensor of T, whatever the types of the tensors beside it.
template <class T>
inline constexpr int kTogether = sizeof(T) == 8 ? 2 : 4;

inline bool lies_on_packs(const Tensor& tensor, int elements) {
  if (!tensor.defined()) return true;
  return reinterpret_cast<std::uintptr_t>(tensor.raw()) % (size_of(tensor.dtype()) * elements) == 0;
}

// `n` < V or not `packed`: one by one. What is not read is 0.
template <class T, int V, class A>
__device__ __forceinline__ void load(const T* from, int n, bool packed, A (&x)[V]) {
  if (packed && n >= V) {
    const auto pack = *reinterpret_cast<const Pack<T, V>*>(from);
#pragma unroll
    for (int k = 0; k < V; ++k) x[k] = static_cast<A>(widen(pack.v[k]));
  } else {
#pragma unroll
    for (int k = 0; k < V; ++k) x[k] = k < n ? static_cast<A>(widen(from[k])) : A{0};
  }
}

template <class T, int V, class A>
__device__ __forceinline__ void save(T* to, int n, bool packed, const A (&x)[V]) {
  if (packed && n >= V) {
    Pack<T, V> pack;
#pragma unroll
    for (int k = 0; k < V; ++k) pack.v[k] = narrow<T>(x[k]);
    *reinterpret_cast<Pack<T, V>*>(to) = pack;
  } else {
#pragma unroll
    for (int k = 0; k < V; ++k)
      if (k < n) to[k] = narrow<T>(x[k]);
  }
}

// Elements from `at` on, of a floating type that is known to the tensor alone.
template <int V, class A>
__device__ __forceinline__ void load(const void* from, DType type, std::int64_t at, int n, bool packed, A (&x)[V]) {
  if (type == DType::f32)
    load(static_cast<const float*>(from) + at, n, packed, x);
  else if (type == DType::bf16)
    load(static_cast<const __nv_bfloat16*>(from) + at, n, packed, x);
  else
    load(static_cast<const double*>(from) + at, n, packed, x);
}

template <int V, class A>
__device__ __forceinline__ void save(void* to, DType type, std::int64_t at, int n, bool packed, const A (&x)[V]) {
  if (type == DType::bf16)
    save(static_cast<__nv_bfloat16*>(to) + at, n, packed, x);
  else if (type == DType::f32)
    save(static_cast<float*>(to) + at, n, packed, x);
  else
    save(static_cast<double*>(to) + at, n, packed, x);
}

// Kernels work on outputs in place: they become their inputs where these are other memory.
inline void settle(const Tensor& from, const Tensor& to, const Context& ctx) {
  if (from.raw() == to.raw() || from.numel() == 0) return;
  check(cudaMemcpyAsync(to.raw(), from.raw(), to.bytes(), cudaMemcpyDeviceToDevice, stream_of(ctx)), "settle");
}

}  // namespace strata::cuda
