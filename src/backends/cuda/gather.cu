// SPDX-License-Identifier: Apache-2.0
//
// An index outside its table is a fault (faults.hpp) and reads nothing: a gathered row becomes NaN (integers: all bits
// set), a scattered one goes nowhere.
#include "strata/ops/gather.hpp"

#include <bit>

#include "backends/cuda/faults.cuh"
#include "backends/cuda/group.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/tiles.cuh"

namespace strata::cuda {
namespace {

struct Index {
  const void* data;
  bool wide;  // i64, else i32

  explicit Index(const Tensor& tensor) : data(tensor.raw()), wide(tensor.dtype() == DType::i64) {}
  __device__ std::int64_t operator[](std::int64_t i) const {
    return wide ? static_cast<const std::int64_t*>(data)[i] : static_cast<const std::int32_t*>(data)[i];
  }
};

constexpr unsigned kWarp = 32;
Launch warps(std::int64_t rows) { return over(rows * kWarp); }

// P: a pack, or an unsigned integer of an element's size. A warp a row.
template <class P>
__global__ void gather(const P* table, Index index, P* y, std::int64_t n, std::int64_t packs, std::int64_t rows,
                       Faults* faults) {
  for (std::int64_t i = first_item() / kWarp; i < n; i += all_items() / kWarp) {
    const std::int64_t row = index[i];
    const bool inside = row >= 0 && row < rows;
    if (!inside && threadIdx.x % kWarp == 0) report_fault(faults, FaultPlace::gather_rows, i, row, rows);
    P outside;
    memset(&outside, 0xff, sizeof(P));
    stream<kOfOne, std::int64_t>(
        threadIdx.x % kWarp, packs, kWarp, [&](std::int64_t k) { return inside ? table[row * packs + k] : outside; },
        [&](std::int64_t k, const P& value) { y[i * packs + k] = value; });
  }
}

template <class T, class U, int V>
__global__ void add_table(const T* x, const U* table, Index index, T* y, std::int64_t n, std::int64_t packs,
                          std::int64_t rows, Faults* faults) {
  using A = Accumulation<T>;
  struct Both {
    PackBits<T, V> x;
    PackBits<U, V> other;
  };
  for (std::int64_t i = first_item() / kWarp; i < n; i += all_items() / kWarp) {
    const std::int64_t row = index[i];
    const bool inside = row >= 0 && row < rows;
    if (!inside && threadIdx.x % kWarp == 0) report_fault(faults, FaultPlace::add_rows, i, row, rows);
    const auto get = [&](std::int64_t k) {
      return Both{bits_at<V>(x, i * packs + k), inside ? bits_at<V>(table, row * packs + k) : PackBits<U, V>{}};
    };
    const auto put = [&](std::int64_t k, const Both& both) {
      auto value = both.x.pack();
      const auto other = both.other.pack();
#pragma unroll
      for (int v = 0; v < V; ++v)
        value.v[v] = narrow<T>(inside ? widen(value.v[v]) + static_cast<A>(widen(other.v[v]))
                                      : std::numeric_limits<A>::quiet_NaN());
      put_pack(y, i * packs + k, value);
    };
    stream<kOfTwo, std::int64_t>(threadIdx.x % kWarp, packs, kWarp, get, put);
  }
}

// scatter_add looks through the index in tiles; what a tile's entries lie between says who need not.
constexpr int kLook = 4, kTile = static_cast<int>(kThreads) * kLook;  // positions that a thread looks at, and a block
struct Range {
  std::int64_t least, most;
};

// A block a tile.
__global__ void __launch_bounds__(kThreads)
    index_ranges(Index index, std::int64_t n, Range* ranges, std::int64_t rows, Faults* faults) {
  std::int64_t ends[2];  // least and −most: both are minima
#pragma unroll
  for (int k = 0; k < kLook; ++k) {
    const std::int64_t position = static_cast<std::int64_t>(blockIdx.x) * kTile + k * kThreads + threadIdx.x;
    const std::int64_t entry = index[position < n ? position : n - 1];
    if (entry < 0 || entry >= rows)
      report_fault(faults, FaultPlace::scatter_add_rows, position < n ? position : n - 1, entry, rows);
    ends[0] = k == 0 || entry < ends[0] ? entry : ends[0];
    ends[1] = k == 0 || -entry < ends[1] ? -entry : ends[1];
  }
  group_reduce<kBlock>(ends, [](std::int64_t a, std::int64_t b) { return b < a ? b : a; });
  if (threadIdx.x == 0) ranges[blockIdx.x] = {ends[0], -ends[1]};
}

// Lists the threads' entries that are not negative in their order. Returns how many; `totals` has a place a warp.
__device__ __forceinline__ int list_entries(const int (&entries)[kLook], int* totals, int* list) {
  const int lane = static_cast<int>(threadIdx.x % kWarp), warp = static_cast<int>(threadIdx.x / kWarp);
  int mine = 0;
#pragma unroll
  for (int k = 0; k < kLook; ++k) mine += entries[k] >= 0;
  int through = mine;  // of this warp's threads up to this one
  for (int by = 1; by < static_cast<int>(kWarp); by *= 2) {
    const int before = __shfl_up_sync(0xffffffffu, through, static_cast<unsigned>(by));
    if (lane >= by) through += before;
  }
  if (lane == static_cast<int>(kWarp) - 1) totals[warp] = through;
  __syncthreads();
  int at = through - mine, all = 0;
  for (int other = 0; other < static_cast<int>(kThreads / kWarp); ++other) {
    if (other < warp) at += totals[other];
    all += totals[other];
  }
  if (all == 0) return 0;
#pragma unroll
  for (int k = 0; k < kLook; ++k)
    if (entries[k] >= 0) list[at++] = entries[k];
  __syncthreads();
  return all;
}

// Rows of y that a block sums together: their sums fill 32 KB.
template <class T, int V>
constexpr int kRowsTogether = (32 << 10) / (static_cast<int>(kThreads) * V * static_cast<int>(sizeof(Accumulation<T>)));

// A block kRowsTogether rows of y, kThreads packs of their columns, and a chunk of positions (of whole tiles, or a part
// of one): lists the chunk's positions of these rows and sums in their order. y: [chunks, rows, packs].
template <class T, class Y, int V>
__global__ void __launch_bounds__(kThreads)
    scatter_add(const T* x, Index index, const Range* ranges, Y* y, std::int64_t n, std::int64_t chunk,
                std::int64_t packs, std::int64_t rows, unsigned groups) {
  using A = Accumulation<T>;
  constexpr int R = kRowsTogether<T, V>;
  __shared__ int totals[2][kThreads / kWarp], list[kTile];
  __shared__ Pack<A, V> sums[R][kThreads];
  const std::int64_t first_row = static_cast<std::int64_t>(blockIdx.x) * R, begin = blockIdx.y / groups * chunk,
                     end = begin + chunk < n ? begin + chunk : n,
                     column = static_cast<std::int64_t>(blockIdx.y % groups) * kThreads + threadIdx.x;
  for (int r = 0; r < R; ++r) sums[r][threadIdx.x] = {};
  int turn = 0;  // totals are read while the next ones are written
  for (std::int64_t tile = begin; tile < end; tile += kTile) {
    const Range range = ranges[tile / kTile];
    if (range.most < first_row || range.least >= first_row + R) continue;
    int entries[kLook];  // position in the tile, and behind it the row
#pragma unroll
    for (int k = 0; k < kLook; ++k) {
      const int place = static_cast<int>(threadIdx.x) * kLook + k;
      const std::int64_t row = tile + place < end ? index[tile + place] - first_row : -1;
      entries[k] = row >= 0 && row < R ? static_cast<int>(row) * kTile + place : -1;
    }
    const int all = list_entries(entries, totals[turn], list);
    turn ^= 1;
    if (column >= packs) continue;
    stream<kOfOne>(
        0, all, 1, [&](int k) { return bits_at<V>(x, (tile + list[k] % kTile) * packs + column); },
        [&](int k, const PackBits<T, V>& bits) {
          const auto in = bits.pack();
          auto& sum = sums[list[k] / kTile][threadIdx.x];
#pragma unroll
          for (int v = 0; v < V; ++v) sum.v[v] += widen(in.v[v]);
        });
  }
  if (column >= packs) return;
  for (int r = 0; r < R && first_row + r < rows; ++r) {
    Pack<Y, V> out;
#pragma unroll
    for (int v = 0; v < V; ++v) out.v[v] = narrow<Y>(sums[r][threadIdx.x].v[v]);
    put_pack(y, (blockIdx.y / groups * rows + first_row + r) * packs + column, out);
  }
}

// y = the sum of the chunks' parts, in their order.
template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    join_chunks(const Accumulation<T>* parts, T* y, std::int64_t packs, unsigned chunks) {
  using A = Accumulation<T>;
  for (std::int64_t i = first_item(); i < packs; i += all_items()) {
    Pack<A, V> sum{};
    stream<kOfOne>(
        0u, chunks, 1u, [&](unsigned c) { return reinterpret_cast<const Pack<A, V>*>(parts)[c * packs + i]; },
        [&](unsigned, const Pack<A, V>& part) {
#pragma unroll
          for (int v = 0; v < V; ++v) sum.v[v] += part.v[v];
        });
    Pack<T, V> out;
#pragma unroll
    for (int v = 0; v < V; ++v) out.v[v] = narrow<T>(sum.v[v]);
    put_pack(y, i, out);
  }
}

template <class F>
void with_unsigned(std::size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f(std::uint8_t{});
    case 2: return f(std::uint16_t{});
    case 4: return f(std::uint32_t{});
    default: return f(std::uint64_t{});
  }
}

Operand rows_of(const Tensor& tensor) { return {tensor.raw(), tensor.dim(1), size_of(tensor.dtype())}; }

void gather_rows(const ops::GatherRows&, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const std::int64_t n = out[0].dim(0), width = out[0].dim(1), rows = in[0].dim(0);
  const int packed = pack_width(std::array{rows_of(in[0]), rows_of(out[0])});
  const Index index(in[1]);
  if (packed > 1) {
    using P = Pack<std::uint32_t, 4>;
    return launch("gather", gather<P>, warps(n), ctx, pointer<P>(in[0]), index, pointer<P>(out[0]), n, width / packed,
                  rows, faults_of(ctx));
  }
  with_unsigned(size_of(out[0].dtype()), [&]<class P>(P) {
    launch("gather", gather<P>, warps(n), ctx, pointer<P>(in[0]), index, pointer<P>(out[0]), n, width, rows,
           faults_of(ctx));
  });
}

// Positions a chunk, where `blocks` blocks look through all of them: enough blocks to fill a device.
std::int64_t chunk_of(std::int64_t n, std::int64_t blocks) {
  constexpr std::int64_t kEnoughBlocks = 132 * 4;
  const std::int64_t wanted = std::max<std::int64_t>(1, kEnoughBlocks / blocks), length = (n + wanted - 1) / wanted;
  if (length > kTile / 2) return (length + kTile - 1) / kTile * kTile;
  return std::max<std::int64_t>(128, static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length))));
}

template <class T, int V>
void scatter(const Tensor& x, const Tensor& positions, const Tensor& y, Context& ctx) {
  using A = Accumulation<T>;
  constexpr int R = kRowsTogether<T, V>;
  const std::int64_t n = x.dim(0), rows = y.dim(0), packs = y.dim(1) / V, tiles = (n + kTile - 1) / kTile;
  const auto blocks = static_cast<unsigned>((rows + R - 1) / R),
             groups = static_cast<unsigned>((packs + kThreads - 1) / kThreads);
  const std::int64_t chunk = chunk_of(n, std::int64_t{blocks} * groups);
  const auto chunks = static_cast<unsigned>((n + chunk - 1) / chunk);
  const Index index(positions);
  const Tensor found = ctx.empty(DType::i64, {tiles, 2});
  auto* ranges = static_cast<Range*>(found.raw());
  launch("index_ranges", index_ranges, {.blocks = static_cast<unsigned>(tiles), .threads = kThreads}, ctx, index, n,
         ranges, rows, faults_of(ctx));
  const Launch shape{.blocks = blocks, .threads = kThreads, .rows = groups * chunks};
  if (chunks == 1)
    return launch("scatter_add", scatter_add<T, T, V>, shape, ctx, pointer<T>(x), index, ranges, pointer<T>(y), n,
                  chunk, packs, rows, groups);
  const Tensor parts = ctx.empty(std::is_same_v<T, double> ? DType::f64 : DType::f32, {chunks, rows, y.dim(1)});
  launch("scatter_add", scatter_add<T, A, V>, shape, ctx, pointer<T>(x), index, ranges, pointer<A>(parts), n, chunk,
         packs, rows, groups);
  launch("join_chunks", join_chunks<T, V>, over(rows * packs), ctx, pointer<A>(parts), pointer<T>(y), rows * packs,
         chunks);
}

void scatter_add_rows(const ops::ScatterAddRows&, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  if (in[0].dim(0) == 0) return check(cudaMemsetAsync(out[0].raw(), 0, out[0].bytes(), stream_of(ctx)), "scatter_add");
  const int packed = pack_width(std::array{rows_of(in[0]), rows_of(out[0])});
  with_floating(out[0].dtype(), [&]<class T>(T) {
    if (packed > 1)
      scatter<T, 16 / sizeof(T)>(in[0], in[1], out[0], ctx);
    else
      scatter<T, 1>(in[0], in[1], out[0], ctx);
  });
}

void add_rows(const ops::AddRows&, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const std::int64_t n = out[0].dim(0);
  const int packed = pack_width(std::array{rows_of(in[0]), rows_of(in[1]), rows_of(out[0])});
  with_floating(out[0].dtype(), [&]<class T>(T) {
    with_floating(in[1].dtype(), [&]<class U>(U) {
      constexpr int V = 16 / (sizeof(T) > sizeof(U) ? sizeof(T) : sizeof(U));
      launch("add_table", packed > 1 ? add_table<T, U, V> : add_table<T, U, 1>, warps(n), ctx, pointer<T>(in[0]),
             pointer<U>(in[1]), Index(in[2]), pointer<T>(out[0]), n, out[0].dim(1) / packed, in[1].dim(0),
             faults_of(ctx));
    });
  });
}

}  // namespace

void register_gather(KernelTable& table) {
  table.add<ops::GatherRows>("cuda", gather_rows, serves::anything);
  table.add<ops::ScatterAddRows>("cuda", scatter_add_rows, serves::anything);
  table.add<ops::AddRows>("cuda", add_rows, serves::anything);
}

}  // namespace strata::cuda
