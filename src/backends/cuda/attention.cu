// SPDX-License-Identifier: Apache-2.0
//
// Attention without tensor cores, for what cuDNN does not serve. Blocks own queries (forward, dq) or keys (dk and dv)
// and stream the other side, so nothing is added up across blocks. Probabilities are never in memory: online softmax
// forward, recomputation from lse backward.
#include "backends/cuda/attention.hpp"
#include "backends/cuda/attention_tiles.cuh"
#include "backends/cuda/launch.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"
#include "strata/ops/attention.hpp"

namespace strata::cuda {
namespace {

using namespace tiles;

constexpr unsigned kAll = 0xffffffffu;

template <class T>
struct Operands {
  Matrix<const T> q, k, v;
  const std::int32_t *q_offsets, *k_offsets;
  int segments, head_width;
  std::int64_t tokens;  // Tq
  Accumulation<T> scale;
};

template <class T>
struct Cotangents {
  Matrix<const T> d_o;
  const Accumulation<T>*lse, *delta;
};

// What the rows of a thread have seen: the largest score, and the thread's own share of the sum of exp(score -
// largest).
template <class A>
struct Softmax {
  A largest[kDown], sum[kDown];
};

// Makes probabilities, but for the sum, of scores; what was summed up before shrinks to the new largest score.
template <int C, int N, class A>
__device__ __forceinline__ void soften(A (&scores)[kDown][N], A scale, std::int64_t columns, Softmax<A>& state,
                                       A (&sums)[kDown][C]) {
#pragma unroll
  for (int i = 0; i < kDown; ++i) {
    A largest = state.largest[i], sum = 0;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      scores[i][j] = across() + j * kAcross < columns ? scale * scores[i][j] : -std::numeric_limits<A>::infinity();
      largest = fmax(largest, scores[i][j]);
    }
#pragma unroll
    for (int lanes = kAcross / 2; lanes > 0; lanes /= 2) largest = fmax(largest, __shfl_xor_sync(kAll, largest, lanes));
#pragma unroll
    for (int j = 0; j < N; ++j) sum += scores[i][j] = exp(scores[i][j] - largest);
    const A factor = exp(state.largest[i] - largest);
    state.largest[i] = largest;
    state.sum[i] = state.sum[i] * factor + sum;
#pragma unroll
    for (int c = 0; c < C; ++c) sums[i][c] *= factor;
  }
}

template <int D, class T>
__global__ void __launch_bounds__(Tiles<Accumulation<T>, D>::kThreads)
    attention_forward(Operands<T> x, Matrix<T> o, Accumulation<T>* lse) {
  using A = Accumulation<T>;
  using Tile = Tiles<A, D>;
  A *const q = dynamic_shared<A>(), *const k = q + Tile::kOwnSize, *const v = k + Tile::kOtherSize,
           *const weights = v + Tile::kOtherSize;
  const Work work = find_work<Tile::kOwnRows>(x.q_offsets, x.k_offsets, x.segments);
  if (work.begin >= work.end) return;
  load<D, Tile::kOwnRows>(q, x.q, work.begin, work.end, x.head_width);
  A sums[kDown][D / kAcross] = {};
  Softmax<A> state;
  for (int i = 0; i < kDown; ++i) state.largest[i] = -std::numeric_limits<A>::infinity(), state.sum[i] = 0;
  for (std::int64_t at = work.first; at < work.last; at += Tile::kOther) {
    __syncthreads();
    load<D, Tile::kOther>(k, x.k, at, work.last, x.head_width);
    load<D, Tile::kOther>(v, x.v, at, work.last, x.head_width);
    __syncthreads();
    A scores[kDown][Tile::kOther / kAcross];
    multiply_rows<D>(q, k, scores);
    soften(scores, x.scale, work.last - at, state, sums);
    put_weights<D>(weights, scores);
    add_weighted<D>(weights, v, sums);
  }
#pragma unroll
  for (int i = 0; i < kDown; ++i) {
    A& sum = state.sum[i];
#pragma unroll
    for (int lanes = kAcross / 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kAll, sum, lanes);
    const std::int64_t row = work.begin + first_row() + i;
    if (across() == 0 && row < work.end) lse[blockIdx.y * x.tokens + row] = state.largest[i] + log(sum);
    sum = sum == 0 ? A{0} : 1 / sum;  // no keys
  }
  write<D>(o, work, x.head_width, sums, state.sum);
}

// delta [A, Tq] = do · o - dlse. A warp a row of a head.
template <class T>
__global__ void attention_deltas(Matrix<const T> o, Matrix<const T> d_o, const Accumulation<T>* d_lse,
                                 Accumulation<T>* delta, std::int64_t tokens, std::int64_t heads, int head_width) {
  const int lane = static_cast<int>(threadIdx.x) % warpSize;
  for (std::int64_t i = first_item() / warpSize; i < tokens * heads; i += all_items() / warpSize) {
    const std::int64_t row = i / heads, head = i % heads;
    Accumulation<T> sum = 0;
    for (std::int64_t c = head * head_width + lane; c < (head + 1) * head_width; c += warpSize)
      sum += widen(o.data[row * o.stride + c]) * widen(d_o.data[row * d_o.stride + c]);
    for (int lanes = warpSize / 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kAll, sum, lanes);
    const std::int64_t at = head * tokens + row;
    if (lane == 0) delta[at] = d_lse == nullptr ? sum : sum - d_lse[at];
  }
}

template <int D, class T>
__global__ void __launch_bounds__(Tiles<Accumulation<T>, D>::kThreads)
    attention_dq(Operands<T> x, Cotangents<T> y, Matrix<T> dq) {
  using A = Accumulation<T>;
  using Tile = Tiles<A, D>;
  A *const q = dynamic_shared<A>(), *const d_o = q + Tile::kOwnSize, *const k = d_o + Tile::kOwnSize,
           *const v = k + Tile::kOtherSize, *const weights = v + Tile::kOtherSize;
  const Work work = find_work<Tile::kOwnRows>(x.q_offsets, x.k_offsets, x.segments);
  if (work.begin >= work.end) return;
  load<D, Tile::kOwnRows>(q, x.q, work.begin, work.end, x.head_width);
  load<D, Tile::kOwnRows>(d_o, y.d_o, work.begin, work.end, x.head_width);
  A sums[kDown][D / kAcross] = {}, lse[kDown] = {}, delta[kDown] = {}, factors[kDown];
#pragma unroll
  for (int i = 0; i < kDown; ++i) {
    const std::int64_t row = work.begin + first_row() + i, statistic = blockIdx.y * x.tokens + row;
    if (row < work.end) lse[i] = y.lse[statistic], delta[i] = y.delta[statistic];
    factors[i] = x.scale;
  }
  for (std::int64_t at = work.first; at < work.last; at += Tile::kOther) {
    __syncthreads();
    load<D, Tile::kOther>(k, x.k, at, work.last, x.head_width);
    load<D, Tile::kOther>(v, x.v, at, work.last, x.head_width);
    __syncthreads();
    constexpr int N = Tile::kOther / kAcross;
    A p[kDown][N], ds[kDown][N];
    multiply_rows<D>(q, k, p);
    multiply_rows<D>(d_o, v, ds);
#pragma unroll
    for (int i = 0; i < kDown; ++i)
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const bool is_there = at + across() + j * kAcross < work.last;
        ds[i][j] = is_there ? exp(x.scale * p[i][j] - lse[i]) * (ds[i][j] - delta[i]) : A{0};
      }
    put_weights<D>(weights, ds);
    add_weighted<D>(weights, k, sums);
  }
  write<D>(dq, work, x.head_width, sums, factors);
}

// As above with the sides exchanged: rows are keys, columns queries.
template <int D, class T>
__global__ void __launch_bounds__(Tiles<Accumulation<T>, D>::kThreads)
    attention_dk_dv(Operands<T> x, Cotangents<T> y, Matrix<T> dk, Matrix<T> dv) {
  using A = Accumulation<T>;
  using Tile = Tiles<A, D>;
  A *const k = dynamic_shared<A>(), *const v = k + Tile::kOwnSize, *const q = v + Tile::kOwnSize,
           *const d_o = q + Tile::kOtherSize, *const weights = d_o + Tile::kOtherSize;
  const Work work = find_work<Tile::kOwnRows>(x.k_offsets, x.q_offsets, x.segments);
  if (work.begin >= work.end) return;
  load<D, Tile::kOwnRows>(k, x.k, work.begin, work.end, x.head_width);
  load<D, Tile::kOwnRows>(v, x.v, work.begin, work.end, x.head_width);
  A k_sums[kDown][D / kAcross] = {}, v_sums[kDown][D / kAcross] = {}, k_factors[kDown], v_factors[kDown];
  for (int i = 0; i < kDown; ++i) k_factors[i] = x.scale, v_factors[i] = 1;
  for (std::int64_t at = work.first; at < work.last; at += Tile::kOther) {
    __syncthreads();
    load<D, Tile::kOther>(q, x.q, at, work.last, x.head_width);
    load<D, Tile::kOther>(d_o, y.d_o, at, work.last, x.head_width);
    __syncthreads();
    constexpr int N = Tile::kOther / kAcross;
    A p[kDown][N], ds[kDown][N];
    multiply_rows<D>(k, q, p);
    multiply_rows<D>(v, d_o, ds);
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const std::int64_t query = at + across() + j * kAcross, statistic = blockIdx.y * x.tokens + query;
      const bool is_there = query < work.last;
      const A lse = is_there ? y.lse[statistic] : A{0}, delta = is_there ? y.delta[statistic] : A{0};
#pragma unroll
      for (int i = 0; i < kDown; ++i) {
        p[i][j] = is_there ? exp(x.scale * p[i][j] - lse) : A{0};
        ds[i][j] = p[i][j] * (ds[i][j] - delta);
      }
    }
    put_weights<D>(weights, p);
    add_weighted<D>(weights, d_o, v_sums);
    put_weights<D>(weights, ds);
    add_weighted<D>(weights, q, k_sums);
  }
  write<D>(dk, work, x.head_width, k_sums, k_factors);
  write<D>(dv, work, x.head_width, v_sums, v_factors);
}

// --- host

template <class T>
Matrix<T> matrix(const Tensor& x, std::int64_t head_width) {
  const std::int64_t stride = x.row_stride();
  const std::size_t element = size_of(x.dtype());
  return {pointer<T>(x), stride,
          pack_width(std::array{Operand{x.raw(), stride, element}, Operand{x.raw(), head_width, element}}) > 1};
}

template <class T, class Op>
Operands<T> operands(const Op& op, Inputs in) {
  const auto of = [&](int i) { return matrix<const T>(in[static_cast<std::size_t>(i)], op.head_width); };
  return {of(0),
          of(1),
          of(2),
          pointer<const std::int32_t>(in[3]),
          pointer<const std::int32_t>(in[4]),
          static_cast<int>(in[3].numel() - 1),
          static_cast<int>(op.head_width),
          in[0].dim(0),
          static_cast<Accumulation<T>>(op.scale)};
}

template <class F>
void with_width(std::int64_t head_width, F&& f) {
  if (head_width <= 32) return f(std::integral_constant<int, 32>{});
  if (head_width <= 64) return f(std::integral_constant<int, 64>{});
  if (head_width <= 96) return f(std::integral_constant<int, 96>{});
  return f(std::integral_constant<int, 128>{});
}

// A kernel whose blocks own tiles of `own`'s rows: `owned` tiles of own rows in shared memory, and two streamed.
template <class Tile, class A, class... Parameters, class... Arguments>
void launch_tiles(const char* name, void (*kernel)(Parameters...), const Tensor& own, int segments,
                  std::int64_t head_width, int owned, const Context& ctx, const Arguments&... arguments) {
  if (own.numel() == 0) return;
  const Launch shape{
      .blocks = static_cast<unsigned>(own.dim(0) / Tile::kOwnRows + segments),
      .threads = Tile::kThreads,
      .rows = static_cast<unsigned>(own.dim(1) / head_width),
      .shared = sizeof(A) * static_cast<std::size_t>(owned * Tile::kOwnSize + 2 * Tile::kOtherSize + Tile::kWeights)};
  allow_shared(name, kernel, shape.shared, ctx);
  launch(name, kernel, shape, ctx, arguments...);
}

}  // namespace

void own_attention(const ops::Attention& op, Inputs in, Outputs out, Context& ctx) {
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_width(op.head_width, [&]<int D>(std::integral_constant<int, D>) {
      using A = Accumulation<T>;
      const auto x = operands<T>(op, in);
      launch_tiles<Tiles<A, D>, A>("attention", attention_forward<D, T>, in[0], x.segments, op.head_width, 1, ctx, x,
                                   matrix<T>(out[0], op.head_width), pointer<A>(out[1]));
    });
  });
}

void own_attention_backward(const ops::AttentionBackward& op, Inputs in, Outputs out, Context& ctx) {
  with_floating(in[0].dtype(), [&]<class T>(T) {
    using A = Accumulation<T>;
    const auto x = operands<T>(op, in);
    const auto of = [&](const Tensor& tensor) { return matrix<T>(tensor, op.head_width); };
    const Tensor delta = ctx.empty(in[6].dtype(), in[6].shape());
    const Cotangents<T> y{matrix<const T>(in[7], op.head_width), pointer<const A>(in[6]), pointer<const A>(delta)};
    if (const std::int64_t rows = delta.numel(); rows > 0)
      launch("attention deltas", attention_deltas<T>, over(rows * 32), ctx, matrix<const T>(in[5], op.head_width),
             y.d_o, in.size() > 8 && in[8].defined() ? pointer<const A>(in[8]) : nullptr, pointer<A>(delta), x.tokens,
             delta.dim(0), x.head_width);
    with_width(op.head_width, [&]<int D>(std::integral_constant<int, D>) {
      using Tile = Tiles<A, D>;
      launch_tiles<Tile, A>("attention dq", attention_dq<D, T>, in[0], x.segments, op.head_width, 2, ctx, x, y,
                            of(out[0]));
      launch_tiles<Tile, A>("attention dk dv", attention_dk_dv<D, T>, in[1], x.segments, op.head_width, 2, ctx, x, y,
                            of(out[1]), of(out[2]));
    });
  });
}

void register_attention(KernelTable& table) {
  table.add<ops::Attention>("cuda", own_attention, serves::anything);
  table.add<ops::AttentionBackward>("cuda", own_attention_backward, serves::anything);
}

}  // namespace strata::cuda
