// SPDX-License-Identifier: Apache-2.0
//
// Rows find their places by binary search in the offsets, so the host neither reads them nor waits.
#include "strata/ops/regroup.hpp"

#include "backends/cuda/register.hpp"
#include "backends/cuda/tiles.cuh"

namespace strata::cuda {
namespace {

constexpr int kWarp = 32, kWarps = static_cast<int>(kThreads) / kWarp;

// The largest i in [first, last) with f(i) <= limit; f never falls, and f(first) <= limit.
template <class F>
__device__ __forceinline__ int last_at_most(int first, int last, std::int64_t limit, F f) {
  while (last - first > 1) {
    const int middle = first + (last - first) / 2;
    (f(middle) <= limit ? first : last) = middle;
  }
  return first;
}

struct Offsets {
  const std::int32_t* begin;
  int count;  // of sequences

  explicit Offsets(const Tensor& tensor)
      : begin(pointer<const std::int32_t>(tensor)), count(static_cast<int>(tensor.dim(0)) - 1) {}
  __device__ std::int64_t operator[](int i) const { return begin[i]; }
  __device__ int sequence_of(std::int64_t row) const {
    return last_at_most(0, count, row, [this](int i) { return std::int64_t{begin[i]}; });
  }
};

// A row of the output is `factor` times the row at `first`; zeros where that is null.
template <class T>
struct Origin {
  const T* first;
  Accumulation<T> factor = 1;
};

struct Levels {
  Offsets fine, coarse, parts;
  std::int64_t prefix;

  Levels(Inputs in, std::int64_t prefix) : fine(in[1]), coarse(in[2]), parts(in[3]), prefix(prefix) {}
  // Patch tokens of fine sequences [first, i), in all.
  __device__ std::int64_t patches_between(int first, int i) const {
    return fine[i] - fine[first] - (i - first) * prefix;
  }
};

template <class T>
struct Split {
  const T* x;
  std::int64_t width;
  Levels levels;
  bool share;

  __device__ Origin<T> operator()(std::int64_t row) const {
    const int i = levels.fine.sequence_of(row), j = levels.parts.sequence_of(i);
    const auto first = static_cast<int>(levels.parts[j]), last = static_cast<int>(levels.parts[j + 1]);
    const std::int64_t local = row - levels.fine[i];
    if (local < levels.prefix)
      return {x + (levels.coarse[j] + local) * width,
              share ? Accumulation<T>(1) / static_cast<Accumulation<T>>(last - first) : Accumulation<T>(1)};
    return {x + (levels.coarse[j] + levels.patches_between(first, i) + local) * width};
  }
};

template <class T>
struct Join {
  const T *prefix, *patches;
  std::int64_t count, width;  // of prefix rows
  Offsets offsets;

  __device__ Origin<T> operator()(std::int64_t row) const {
    const int i = offsets.sequence_of(row);
    const std::int64_t local = row - offsets[i];
    return {local < count ? prefix + local * width : patches + (row - (i + 1) * count) * width};
  }
};

template <class T>
struct Patches {
  const T* x;
  std::int64_t prefix, width;
  Offsets offsets;

  __device__ Origin<T> operator()(std::int64_t row) const {
    const int i = last_at_most(0, offsets.count, row, [this](int k) { return offsets[k] - k * prefix; });
    return {x + (row + (i + 1) * prefix) * width};
  }
};

template <class T>
struct MeanBackward {
  const T* dy;
  std::int64_t skip, width;
  Offsets offsets;

  __device__ Origin<T> operator()(std::int64_t row) const {
    const int i = offsets.sequence_of(row);
    if (row - offsets[i] < skip) return {nullptr};
    return {dy + i * width, Accumulation<T>(1) / static_cast<Accumulation<T>>(offsets[i + 1] - offsets[i] - skip)};
  }
};

// Lane by lane, a row of `packs`.
template <int V, class T>
__device__ __forceinline__ void move_row(const Origin<T>& origin, T* to, std::int64_t packs) {
  const auto get = [&](std::int64_t k) {
    return origin.first != nullptr ? bits_at<V>(origin.first, k) : PackBits<T, V>{};
  };
  const auto put = [&](std::int64_t k, const PackBits<T, V>& bits) {
    auto value = bits.pack();
    if (origin.factor != 1)
#pragma unroll
      for (int v = 0; v < V; ++v) value.v[v] = narrow<T>(origin.factor * widen(value.v[v]));
    put_pack(to, k, value);
  };
  stream<kOfOne, std::int64_t>(threadIdx.x % kWarp, packs, kWarp, get, put);
}

// A warp a row.
template <class T, int V, class From>
__global__ void move_rows(T* y, std::int64_t rows, std::int64_t packs, From from) {
  for (std::int64_t row = first_item() / kWarp; row < rows; row += all_items() / kWarp)
    move_row<V>(from(row), y + row * packs * V, packs);
}

// A warp a row: patches move, prefix rows are summed over the parts in their order.
template <class T, int V>
__global__ void merge_rows(const T* x, T* y, std::int64_t rows, std::int64_t packs, Levels levels, bool mean) {
  using A = Accumulation<T>;
  const auto* source = reinterpret_cast<const Pack<T, V>*>(x);
  for (std::int64_t row = first_item() / kWarp; row < rows; row += all_items() / kWarp) {
    auto* to = reinterpret_cast<Pack<T, V>*>(y) + row * packs;
    const int j = levels.coarse.sequence_of(row);
    const auto first = static_cast<int>(levels.parts[j]), last = static_cast<int>(levels.parts[j + 1]);
    const std::int64_t local = row - levels.coarse[j], patch = local - levels.prefix;
    if (patch >= 0) {
      const int i = last_at_most(first, last, patch, [&](int k) { return levels.patches_between(first, k); });
      const std::int64_t from = levels.fine[i] + local - levels.patches_between(first, i);
      move_row<V>(Origin<T>{x + from * packs * V}, y + row * packs * V, packs);
      continue;
    }
    const A factor = mean ? A(1) / static_cast<A>(last - first) : A(1);
    for (std::int64_t k = threadIdx.x % kWarp; k < packs; k += kWarp) {
      A sum[V] = {};
#pragma unroll 4
      for (int i = first; i < last; ++i) {
        const auto in = source[(levels.fine[i] + local) * packs + k];
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] += widen(in.v[v]);
      }
      Pack<T, V> out;
#pragma unroll
      for (int v = 0; v < V; ++v) out.v[v] = narrow<T>(factor * sum[v]);
      to[k] = out;
    }
  }
}

// The rows that row `o` of a sum is made of.
struct PrefixRows {
  Offsets offsets;
  __device__ std::int64_t count(std::int64_t) const { return offsets.count; }
  __device__ std::int64_t row(std::int64_t o, std::int64_t k) const { return offsets[static_cast<int>(k)] + o; }
};
struct SegmentRows {
  Offsets offsets;
  std::int64_t skip;
  __device__ std::int64_t count(std::int64_t o) const {
    const auto i = static_cast<int>(o);
    return offsets[i + 1] - offsets[i] - skip;
  }
  __device__ std::int64_t row(std::int64_t o, std::int64_t k) const { return offsets[static_cast<int>(o)] + skip + k; }
};

// A block a row of the sum and kWarp of its columns: each warp sums every kWarps-th row, then the warps' sums meet.
template <class T, class Rows>
__global__ void sum_rows(const T* x, T* y, std::int64_t width, unsigned groups, Rows rows, bool mean) {
  using A = Accumulation<T>;
  __shared__ A parts[kWarps][kWarp];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t o = blockIdx.x / groups, column = static_cast<std::int64_t>(blockIdx.x % groups) * kWarp + lane,
                     count = rows.count(o);
  A sum = 0;
  if (column < width)
#pragma unroll 4
    for (std::int64_t k = warp; k < count; k += kWarps) sum += widen(x[rows.row(o, k) * width + column]);
  parts[warp][lane] = sum;
  __syncthreads();
  if (warp > 0 || column >= width) return;
  for (int other = 1; other < kWarps; ++other) sum += parts[other][lane];
  y[o * width + column] = narrow<T>(mean && count > 0 ? sum / static_cast<A>(count) : sum);
}

Operand rows_of(const Tensor& tensor) { return {tensor.raw(), tensor.dim(1), size_of(tensor.dtype())}; }

template <class T, template <class> class From>
void move(const Tensor& out, int packed, const From<T>& from, Context& ctx) {
  const std::int64_t rows = out.dim(0);
  launch("move_rows", packed > 1 ? move_rows<T, 16 / sizeof(T), From<T>> : move_rows<T, 1, From<T>>, over(rows * kWarp),
         ctx, pointer<T>(out), rows, out.dim(1) / packed, from);
}

template <class T, class Rows>
void sum(const Tensor& x, const Tensor& out, const Rows& rows, bool mean, Context& ctx) {
  const auto groups = static_cast<unsigned>((out.dim(1) + kWarp - 1) / kWarp);
  const Launch shape{.blocks = static_cast<unsigned>(out.dim(0)) * groups, .threads = kThreads};
  launch("sum_rows", sum_rows<T, Rows>, shape, ctx, pointer<T>(x), pointer<T>(out), out.dim(1), groups, rows, mean);
}

void merge_tokens(const ops::MergeTokens& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const int packed = pack_width(std::array{rows_of(in[0]), rows_of(out[0])});
  const std::int64_t rows = out[0].dim(0);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    launch("merge_rows", packed > 1 ? merge_rows<T, 16 / sizeof(T)> : merge_rows<T, 1>, over(rows * kWarp), ctx,
           pointer<T>(in[0]), pointer<T>(out[0]), rows, out[0].dim(1) / packed, Levels(in, op.prefix),
           op.rule == ops::PrefixMerge::mean);
  });
}

void split_tokens(const ops::SplitTokens& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const int packed = pack_width(std::array{rows_of(in[0]), rows_of(out[0])});
  with_floating(out[0].dtype(), [&]<class T>(T) {
    move<T, Split>(out[0], packed,
                   {pointer<T>(in[0]), in[0].dim(1), Levels(in, op.prefix), op.rule == ops::PrefixSplit::share}, ctx);
  });
}

void join_prefix(const ops::JoinPrefix&, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const int packed = pack_width(std::array{rows_of(in[0]), rows_of(in[1]), rows_of(out[0])});
  with_floating(out[0].dtype(), [&]<class T>(T) {
    move<T, Join>(out[0], packed, {pointer<T>(in[0]), pointer<T>(in[1]), in[0].dim(0), in[0].dim(1), Offsets(in[2])},
                  ctx);
  });
}

void split_prefix(const ops::SplitPrefix& op, Inputs in, Outputs out, Context& ctx) {
  const Offsets offsets(in[1]);
  with_floating(in[0].dtype(), [&]<class T>(T) {
    if (out[0].numel() > 0) sum<T>(in[0], out[0], PrefixRows{offsets}, false, ctx);
    if (out[1].numel() == 0) return;
    const int packed = pack_width(std::array{rows_of(in[0]), rows_of(out[1])});
    move<T, Patches>(out[1], packed, {pointer<T>(in[0]), op.prefix, in[0].dim(1), offsets}, ctx);
  });
}

void segment_mean(const ops::SegmentMean& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  with_floating(out[0].dtype(), [&]<class T>(T) {
    sum<T>(in[0], out[0], SegmentRows{Offsets(in[1]), op.skip}, true, ctx);
  });
}

void segment_mean_backward(const ops::SegmentMeanBackward& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const int packed = pack_width(std::array{rows_of(in[0]), rows_of(out[0])});
  with_floating(out[0].dtype(), [&]<class T>(T) {
    move<T, MeanBackward>(out[0], packed, {pointer<T>(in[0]), op.skip, in[0].dim(1), Offsets(in[1])}, ctx);
  });
}

}  // namespace

void register_regroup(KernelTable& table) {
  table.add<ops::MergeTokens>("cuda", merge_tokens, serves::anything);
  table.add<ops::SplitTokens>("cuda", split_tokens, serves::anything);
  table.add<ops::JoinPrefix>("cuda", join_prefix, serves::anything);
  table.add<ops::SplitPrefix>("cuda", split_prefix, serves::anything);
  table.add<ops::SegmentMean>("cuda", segment_mean, serves::anything);
  table.add<ops::SegmentMeanBackward>("cuda", segment_mean_backward, serves::anything);
}

}  // namespace strata::cuda
