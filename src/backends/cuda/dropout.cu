// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/dropout.hpp"

#include <algorithm>

#include "backends/cuda/philox.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/tiles.cuh"

namespace strata::cuda {
namespace {

constexpr unsigned kRowsABlock = kThreads / 32;  // a warp a row

struct Draws {
  PhiloxKey key;
  std::uint32_t layer;
  float rate;
  double scale;  // of what stays
};
template <class Op>
Draws draws_of(const Op& op) {
  return {philox_key(op.key), op.layer, static_cast<float>(op.rate), 1 / (1 - op.rate)};
}

// keys: [n, 2] = (sample ordinal, part).
__device__ __forceinline__ PhiloxWords words_of(const Draws& draws, const std::int64_t* keys, std::int64_t segment,
                                                std::uint64_t block) {
  return philox(philox_counter(static_cast<std::uint64_t>(keys[2 * segment]), draws.layer,
                               static_cast<std::uint32_t>(keys[2 * segment + 1]), static_cast<std::uint32_t>(block)),
                draws.key);
}

// The last segment that begins at or before `row`: the one that holds it.
__device__ __forceinline__ int segment_of(const std::int32_t* offsets, int segments, std::int64_t row) {
  int low = 0, high = segments;
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    (offsets[middle] <= row ? low : high) = middle;
  }
  return low;
}

// A warp a row, rows of `width` elements. V = 1: any width; else V and width are multiples of 4, a Philox block each.
template <class T, int V>
__global__ void drop_elements(const T* x, const std::int64_t* keys, const std::int32_t* offsets, T* y,
                              std::int64_t rows, std::int64_t width, int segments, Draws draws) {
  using A = Accumulation<T>;
  const A scale = static_cast<A>(draws.scale);
  for (std::int64_t r = first_item() / 32; r < rows; r += all_items() / 32) {
    const int segment = segment_of(offsets, segments, r);
    const auto before = static_cast<std::uint64_t>(r - offsets[segment]) * static_cast<std::uint64_t>(width);
    const auto put = [&](std::int64_t k, const PackBits<T, V>& bits) {
      auto p = bits.pack();
      const std::uint64_t element = before + static_cast<std::uint64_t>(k) * V;
      PhiloxWords words{};
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if (i % 4 == 0) words = words_of(draws, keys, segment, (element + static_cast<std::uint64_t>(i)) >> 2);
        std::uint32_t word = words.v[i % 4];
        if constexpr (V == 1) {
          const auto which = static_cast<unsigned>(element & 3u);
          word = which == 0 ? words.v[0] : which == 1 ? words.v[1] : which == 2 ? words.v[2] : words.v[3];
        }
        p.v[i] = narrow<T>(widen(p.v[i]) * (uniform_of(word) >= draws.rate ? scale : A{0}));
      }
      put_pack(y + r * width, k, p);
    };
    stream<kOfTwo, std::int64_t>(
        threadIdx.x % 32, width / V, 32, [&](std::int64_t k) { return bits_at<V>(x + r * width, k); }, put);
  }
}

template <class T>
__global__ void draw_factors(const std::int64_t* keys, T* factors, std::int64_t n, Draws draws) {
  for (std::int64_t i = first_item(); i < n; i += all_items())
    factors[i] = narrow<T>(uniform_of(words_of(draws, keys, i, 0).v[0]) >= draws.rate ? draws.scale : 0.0);
}

// A warp a row.
template <class T, class U, int V>
__global__ void scale_rows(const T* x, const U* factors, const std::int32_t* offsets, T* y, std::int64_t rows,
                           std::int64_t width, int segments) {
  for (std::int64_t r = first_item() / 32; r < rows; r += all_items() / 32) {
    const auto factor = static_cast<Accumulation<T>>(widen(factors[segment_of(offsets, segments, r)]));
    const auto put = [&](std::int64_t k, const PackBits<T, V>& bits) {
      auto p = bits.pack();
#pragma unroll
      for (int i = 0; i < V; ++i) p.v[i] = narrow<T>(widen(p.v[i]) * factor);
      put_pack(y + r * width, k, p);
    };
    stream<kOfOne, std::int64_t>(
        threadIdx.x % 32, width / V, 32, [&](std::int64_t k) { return bits_at<V>(x + r * width, k); }, put);
  }
}

Launch over_rows(std::int64_t rows) {
  return {
      .blocks = static_cast<unsigned>(std::clamp<std::int64_t>((rows + kRowsABlock - 1) / kRowsABlock, 1, kMostBlocks)),
      .threads = kThreads};
}

// Rows of x and y are packs of V elements on addresses of their size.
template <class T, int V>
bool packed_rows(const Tensor& x, const Tensor& y) {
  const auto at = [](const Tensor& tensor) { return reinterpret_cast<std::uintptr_t>(tensor.raw()); };
  return x.dim(1) % V == 0 && (at(x) | at(y)) % sizeof(Pack<T, V>) == 0;
}

void dropout(const ops::Dropout& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const std::int64_t rows = in[0].dim(0), width = in[0].dim(1);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    constexpr int V = sizeof(T) == 8 ? 4 : 16 / sizeof(T);  // a Philox block is four elements
    const auto run = [&](auto kernel) {
      launch("dropout", kernel, over_rows(rows), ctx, pointer<T>(in[0]), pointer<std::int64_t>(in[1]),
             pointer<std::int32_t>(in[2]), pointer<T>(out[0]), rows, width, in[1].dim(0), draws_of(op));
    };
    if (packed_rows<T, V>(in[0], out[0]))
      run(drop_elements<T, V>);
    else
      run(drop_elements<T, 1>);
  });
}

void drop_path_factors(const ops::DropPathFactors& op, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t n = out[0].numel();
  if (n == 0) return;
  with_floating(op.to, [&]<class T>(T) {
    launch("drop_path_factors", draw_factors<T>, over(n), ctx, pointer<std::int64_t>(in[0]), pointer<T>(out[0]), n,
           draws_of(op));
  });
}

void scale_segments(const ops::ScaleSegments&, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const std::int64_t rows = in[0].dim(0), width = in[0].dim(1);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    with_floating(in[1].dtype(), [&]<class U>(U) {
      constexpr int V = 16 / sizeof(T);
      const auto run = [&](auto kernel) {
        launch("scale_segments", kernel, over_rows(rows), ctx, pointer<T>(in[0]), pointer<U>(in[1]),
               pointer<std::int32_t>(in[2]), pointer<T>(out[0]), rows, width, in[1].dim(0));
      };
      if (packed_rows<T, V>(in[0], out[0]))
        run(scale_rows<T, U, V>);
      else
        run(scale_rows<T, U, 1>);
    });
  });
}

}  // namespace

void register_dropout(KernelTable& table) {
  table.add<ops::Dropout>("cuda", dropout, serves::anything);
  table.add<ops::DropPathFactors>("cuda", drop_path_factors, serves::anything);
  table.add<ops::ScaleSegments>("cuda", scale_segments, serves::anything);
}

}  // namespace strata::cuda
