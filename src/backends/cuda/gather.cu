// SPDX-License-Identifier: Apache-2.0
//
// An index outside its table is a fault (faults.hpp) and reads nothing: a gathered row becomes NaN (integers: all bits
// set), a scattered one goes nowhere.
#include "strata/ops/gather.hpp"

#include "backends/cuda/faults.hpp"
#include "backends/cuda/launch.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"

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
    for (std::int64_t k = threadIdx.x % kWarp; k < packs; k += kWarp)
      y[i * packs + k] = inside ? table[row * packs + k] : outside;
  }
}

template <class T, class U, int V>
__global__ void add_table(const T* x, const U* table, Index index, T* y, std::int64_t n, std::int64_t packs,
                          std::int64_t rows, Faults* faults) {
  using A = Accumulation<T>;
  for (std::int64_t i = first_item() / kWarp; i < n; i += all_items() / kWarp) {
    const std::int64_t row = index[i];
    const bool inside = row >= 0 && row < rows;
    if (!inside && threadIdx.x % kWarp == 0) report_fault(faults, FaultPlace::add_rows, i, row, rows);
    const auto* from = reinterpret_cast<const Pack<U, V>*>(table) + (inside ? row : 0) * packs;
    for (std::int64_t k = threadIdx.x % kWarp; k < packs; k += kWarp) {
      auto value = reinterpret_cast<const Pack<T, V>*>(x)[i * packs + k];
      Pack<U, V> other{};
      if (inside) other = from[k];
#pragma unroll
      for (int v = 0; v < V; ++v)
        value.v[v] = narrow<T>(inside ? widen(value.v[v]) + static_cast<A>(widen(other.v[v]))
                                      : std::numeric_limits<A>::quiet_NaN());
      reinterpret_cast<Pack<T, V>*>(y)[i * packs + k] = value;
    }
  }
}

// Positions that one thread looks at together.
constexpr int kLook = 4;

// Lists the tile's positions that are `found` (a bit each of a thread's kLook) in their order. Returns how many;
// `totals` has a place a warp.
__device__ __forceinline__ int list_positions(unsigned found, int* totals, int* list) {
  const int lane = static_cast<int>(threadIdx.x % kWarp), warp = static_cast<int>(threadIdx.x / kWarp);
  int mine = 0;
#pragma unroll
  for (int k = 0; k < kLook; ++k) mine += static_cast<int>(found >> k & 1u);
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
    if (found >> k & 1u) list[at++] = static_cast<int>(threadIdx.x) * kLook + k;
  __syncthreads();
  return all;
}

// A block a row of y and kThreads packs of its columns: looks through the index and sums in its order.
template <class T, int V>
__global__ void scatter_add(const T* x, Index index, T* y, std::int64_t n, std::int64_t packs, std::int64_t rows,
                            Faults* faults) {
  __shared__ int totals[2][kThreads / kWarp], list[kThreads * kLook];
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    Accumulation<T> sum[V] = {};
    int turn = 0;  // totals are read while the next ones are written
    for (std::int64_t tile = 0; tile < n; tile += kThreads * kLook, turn ^= 1) {
      unsigned found = 0;
#pragma unroll
      for (int k = 0; k < kLook; ++k) {
        const std::int64_t position = tile + static_cast<std::int64_t>(threadIdx.x) * kLook + k;
        if (position >= n) continue;
        const std::int64_t to = index[position];
        if (to == row) found |= 1u << k;
        if (row == 0 && blockIdx.y == 0 && (to < 0 || to >= rows))
          report_fault(faults, FaultPlace::scatter_add_rows, position, to, rows);
      }
      const int all = list_positions(found, totals[turn], list);
      if (column < packs) {
#pragma unroll 4
        for (int k = 0; k < all; ++k) {
          const auto in = reinterpret_cast<const Pack<T, V>*>(x)[(tile + list[k]) * packs + column];
#pragma unroll
          for (int v = 0; v < V; ++v) sum[v] += widen(in.v[v]);
        }
      }
    }
    __syncthreads();  // the next row begins with totals[0] again
    if (column < packs) {
      Pack<T, V> out;
#pragma unroll
      for (int v = 0; v < V; ++v) out.v[v] = narrow<T>(sum[v]);
      reinterpret_cast<Pack<T, V>*>(y)[row * packs + column] = out;
    }
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

void scatter_add_rows(const ops::ScatterAddRows& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const int packed = pack_width(std::array{rows_of(in[0]), rows_of(out[0])});
  const std::int64_t packs = out[0].dim(1) / packed;
  const Launch shape{.blocks = static_cast<unsigned>(std::min(op.rows, 4 * kMostBlocks)),
                     .threads = kThreads,
                     .rows = static_cast<unsigned>((packs + kThreads - 1) / kThreads)};
  with_floating(out[0].dtype(), [&]<class T>(T) {
    launch("scatter_add", packed > 1 ? scatter_add<T, 16 / sizeof(T)> : scatter_add<T, 1>, shape, ctx,
           pointer<T>(in[0]), Index(in[1]), pointer<T>(out[0]), in[0].dim(0), packs, op.rows, faults_of(ctx));
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
