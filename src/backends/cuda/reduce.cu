// SPDX-License-Identifier: Apache-2.0
//
// Sums of x [outer, size, inner] over its middle. Where there are too few of them to fill a device, `size` is cut into
// chunks, by the sizes alone, and the chunks' sums are summed by a second launch.
#include "strata/ops/reduce.hpp"

#include "backends/cuda/group.cuh"
#include "backends/cuda/product.hpp"
#include "backends/cuda/register.hpp"
#include "backends/cuda/tiles.cuh"

namespace strata::cuda {
namespace {

constexpr int kWarp = 32, kWarps = static_cast<int>(kThreads) / kWarp;
constexpr std::int64_t kEnoughBlocks = 132 * 8;

struct Axes {
  std::int64_t outer, size, inner;
};
Axes axes_of(const Shape& shape, int axis, bool everything) {
  if (everything) return {1, shape.numel(), 1};
  return {shape.outer(axis), shape[axis], shape.inner(axis)};
}

struct Chunks {
  std::int64_t count = 1, length = 0;
};
// About kEnoughBlocks blocks of chunks no shorter than `least`, whose length is a multiple of it.
Chunks chunks_of(std::int64_t size, std::int64_t blocks_a_chunk, std::int64_t least, std::int64_t most) {
  const std::int64_t wanted = std::clamp<std::int64_t>(kEnoughBlocks / blocks_a_chunk, 1, most);
  const std::int64_t length = std::max<std::int64_t>(1, ((size + wanted - 1) / wanted + least - 1) / least) * least;
  return {.count = std::max<std::int64_t>(1, (size + length - 1) / length), .length = length};
}

// inner = 1: a warp or a block (Group threads) a chunk; y [outer, chunks].
template <class T, class Y, int V, int Group>
__global__ void sum_rows(const T* x, Y* y, std::int64_t outer, std::int64_t size, Chunks chunks, double factor) {
  using A = Accumulation<T>;
  const int thread = static_cast<int>(threadIdx.x) % Group;
  const std::int64_t place = (static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x) / Group;
  if (place >= outer * chunks.count) return;  // a whole warp; with a block a chunk there is none too many
  const std::int64_t row = place / chunks.count, first = (place - row * chunks.count) * chunks.length,
                     packs = (chunks.length < size - first ? chunks.length : size - first) / V;
  const auto* from = reinterpret_cast<const Pack<T, V>*>(x + row * size + first);
  A sum = 0;
#pragma unroll 4
  for (std::int64_t i = thread; i < packs; i += Group) {
    const auto in = from[i];
#pragma unroll
    for (int v = 0; v < V; ++v) sum += widen(in.v[v]);
  }
  sum = group_sum<Group>(sum);
  if (thread == 0) y[place] = narrow<Y>(static_cast<A>(factor) * sum);
}

// A block a chunk of rows and kWarp · V columns: each warp sums every kWarps-th row, then the warps' sums meet;
// y [outer, chunks, inner].
template <class T, class Y, int V>
__global__ void sum_columns(const T* x, Y* y, std::int64_t size, std::int64_t inner, std::int64_t groups, Chunks chunks,
                            double factor) {
  using A = Accumulation<T>;
  constexpr int kColumns = kWarp * V;
  __shared__ A parts[kWarps][kColumns];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t place = blockIdx.x / groups, row = place / chunks.count,
                     begin = (blockIdx.x - place * groups) * kColumns, column = begin + lane * V,
                     first = (place - row * chunks.count) * chunks.length,
                     last = chunks.length < size - first ? first + chunks.length : size;
  A sum[V] = {};
  const T* from = x + row * size * inner + column;
  const auto get = [&](std::int64_t k) { return bits_at<V>(from + k * inner, 0); };
  const auto put = [&](std::int64_t, const PackBits<T, V>& bits) {
    const auto in = bits.pack();
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] += widen(in.v[v]);
  };
  if (column < inner) stream<kOfOne, std::int64_t>(first + warp, last, kWarps, get, put);
#pragma unroll
  for (int v = 0; v < V; ++v) parts[warp][lane * V + v] = sum[v];
  __syncthreads();
  const auto mine = static_cast<int>(threadIdx.x);
  if (mine >= kColumns || begin + mine >= inner) return;
  A total = parts[0][mine];
  for (int other = 1; other < kWarps; ++other) total += parts[other][mine];
  y[place * inner + begin + mine] = narrow<Y>(static_cast<A>(factor) * total);
}

// A thread a sum.
template <class T, class Y>
__global__ void sum_short(const T* x, Y* y, std::int64_t sums, std::int64_t size, std::int64_t inner, double factor) {
  using A = Accumulation<T>;
  for (std::int64_t i = first_item(); i < sums; i += all_items()) {
    const std::int64_t o = i / inner;
    const T* from = x + o * size * inner + (i - o * inner);
    A sum = 0;
#pragma unroll 4
    for (std::int64_t k = 0; k < size; ++k) sum += widen(from[k * inner]);
    y[i] = narrow<Y>(static_cast<A>(factor) * sum);
  }
}

bool aligned(const void* data) { return reinterpret_cast<std::uintptr_t>(data) % 16 == 0; }

template <class T, class Y>
void launch_rows(const T* x, Y* y, const Axes& e, const Chunks& chunks, double factor, Context& ctx) {
  constexpr int V = 16 / sizeof(T);
  const bool packed = aligned(x) && e.size % V == 0, by_warp = chunks.length <= 1024;
  const std::int64_t rows = e.outer * chunks.count, blocks = by_warp ? (rows + kWarps - 1) / kWarps : rows;
  const auto kernel = by_warp ? (packed ? sum_rows<T, Y, V, kWarp> : sum_rows<T, Y, 1, kWarp>)
                              : (packed ? sum_rows<T, Y, V, kBlock> : sum_rows<T, Y, 1, kBlock>);
  launch("sum_rows", kernel, {.blocks = static_cast<unsigned>(blocks), .threads = kThreads}, ctx, x, y, e.outer, e.size,
         chunks, factor);
}

template <class T, class Y>
void reduce_rows(const T* x, Y* y, const Axes& e, double factor, Context& ctx) {
  using A = Accumulation<T>;
  const Chunks chunks = chunks_of(e.size, e.outer, 2048, kEnoughBlocks);
  if (e.size <= 2048 || chunks.count == 1) return launch_rows(x, y, e, {1, e.size}, factor, ctx);
  const Tensor sums = ctx.empty(dtype_of<A>, {e.outer, chunks.count});
  launch_rows(x, pointer<A>(sums), e, chunks, 1, ctx);
  launch_rows(pointer<A>(sums), y, {e.outer, chunks.count, 1}, {1, chunks.count}, factor, ctx);
}

template <class T, class Y>
void launch_columns(const T* x, Y* y, const Axes& e, const Chunks& chunks, double factor, Context& ctx) {
  constexpr int V = 16 / sizeof(T);
  const bool packed = aligned(x) && e.inner % V == 0;
  const std::int64_t columns = kWarp * (packed ? V : 1), groups = (e.inner + columns - 1) / columns;
  launch("sum_columns", packed ? sum_columns<T, Y, V> : sum_columns<T, Y, 1>,
         {.blocks = static_cast<unsigned>(e.outer * chunks.count * groups), .threads = kThreads}, ctx, x, y, e.size,
         e.inner, groups, chunks, factor);
}

template <class T, class Y>
void reduce_columns(const T* x, Y* y, const Axes& e, double factor, Context& ctx) {
  using A = Accumulation<T>;
  const std::int64_t sums = e.outer * e.inner;
  if (e.size <= 8 || (e.size <= 64 && sums >= 4096))
    return launch("sum_short", sum_short<T, Y>, over(sums), ctx, x, y, sums, e.size, e.inner, factor);
  constexpr std::int64_t kColumns = kWarp * 16 / sizeof(T);
  const Chunks chunks = chunks_of(e.size, e.outer * ((e.inner + kColumns - 1) / kColumns), 32, 128);
  if (chunks.count == 1) return launch_columns(x, y, e, {1, e.size}, factor, ctx);
  const Tensor parts = ctx.empty(dtype_of<A>, {e.outer, chunks.count, e.inner});
  launch_columns(x, pointer<A>(parts), e, chunks, 1, ctx);
  launch_columns(pointer<A>(parts), y, {e.outer, chunks.count, e.inner}, {1, chunks.count}, factor, ctx);
}

void reduce(const ops::Reduce& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const Axes e = axes_of(in[0].shape(), op.axis, op.everything);
  const double factor = op.kind == ops::Reduction::mean ? 1 / static_cast<double>(e.size) : 1;
  const auto run = [&]<class T, class Y>(T, Y) {
    if (e.inner == 1)
      reduce_rows(pointer<const T>(in[0]), pointer<Y>(out[0]), e, factor, ctx);
    else
      reduce_columns(pointer<const T>(in[0]), pointer<Y>(out[0]), e, factor, ctx);
  };
  with_floating(in[0].dtype(), [&]<class T>(T one) {
    if (in[0].dtype() == out[0].dtype())
      run(one, one);
    else
      run(one, Accumulation<T>{});
  });
}

// y [outer, size, inner] = alpha · x [outer, inner], V of y a thread: of one row of x, or (inner = 1) of one value.
template <class T, int V>
__global__ void repeat(const T* x, T* y, std::int64_t packs, std::int64_t size, std::int64_t inner, double alpha) {
  for (std::int64_t i = first_item(); i < packs; i += all_items()) {
    Pack<T, V> value;
    if (inner == 1) {
      const T one = x[i * V / size];
#pragma unroll
      for (int v = 0; v < V; ++v) value.v[v] = one;
    } else {
      const std::int64_t line = inner / V, row = i / line;
      value = reinterpret_cast<const Pack<T, V>*>(x)[row / size * line + (i - row * line)];
    }
#pragma unroll
    for (int v = 0; v < V; ++v) value.v[v] = narrow<T>(static_cast<Accumulation<T>>(alpha) * widen(value.v[v]));
    reinterpret_cast<Pack<T, V>*>(y)[i] = value;
  }
}

void expand(const ops::Expand& op, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t n = out[0].numel();
  if (n == 0) return;
  const Axes e = axes_of(op.shape, op.axis, op.everything);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    constexpr int V = 16 / sizeof(T);
    const bool packed =
        aligned(out[0].raw()) && (e.inner == 1 ? e.size % V == 0 : e.inner % V == 0 && aligned(in[0].raw()));
    launch("repeat", packed ? repeat<T, V> : repeat<T, 1>, over(packed ? n / V : n), ctx, pointer<T>(in[0]),
           pointer<T>(out[0]), packed ? n / V : n, e.size, e.inner, op.alpha);
  });
}

}  // namespace

void column_sums(const Tensor& x, const Tensor& sums, Context& ctx) {
  reduce({.wide = true}, {&x, 1}, {&sums, 1}, ctx);
}

void register_reduce(KernelTable& table) {
  table.add<ops::Reduce>("cuda", reduce, serves::anything);
  table.add<ops::Expand>("cuda", expand, serves::anything);
}

}  // namespace strata::cuda
