// SPDX-License-Identifier: Apache-2.0
//
// Queries lie in the lanes. With a block of n queries transposed once (Qᵀ [d, n]), all products of attention read their
// other operand as it lies in memory,
//   forward   Sᵀ = K·Qᵀ    Oᵀ += Vᵀ·Pᵀ
//   backward  Sᵀ = K·Qᵀ    dPᵀ = V·dOᵀ    dQᵀ += Kᵀ·dSᵀ    dV += Pᵀ·dO    dK += dSᵀ·Q
// and the softmax needs no sum across lanes: its maximum and sum run down the rows of Sᵀ, a lane a query. All products
// are f32; memory of bf16 is widened when operands are packed, and results are rounded once, when they are written.
#include "backends/cpu/simd/attention.hpp"

#include "backends/cpu/simd/products.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// Keys that pass through Sᵀ together. Sᵀ is then at most 128 × 48 floats = 24 KiB, so it stays in L1 between its two
// products, and scaling Oᵀ once a step costs under 1 %.
inline constexpr std::int64_t kKeyStep = 128;
// Keys and values that are copied together for all queries of a problem: 2 × 512 × 64 floats = 256 KiB of L2.
inline constexpr std::int64_t kKeyBlock = 512;
inline constexpr int kMostQueries = kTileColumns * kWidth;  // of a block

// --- forward

// What the online softmax carries for a block of n queries.
struct ForwardBlock {
  float* q;      // [d, n], transposed, times scale · log2 e
  float* o;      // [d, n], of the keys so far, to be divided by `total`
  float* most;   // [n], the largest score so far, in units of log2
  float* total;  // [n], the sum of 2^(score − most)
};

STRATA_INLINE void scale_columns(float* o, std::int64_t rows, std::int64_t stride, Lane factor) {
  for (std::int64_t c = 0; c < rows; ++c) store_same(o + c * stride, load_lane(o + c * stride) * factor);
}

// Pᵀ = 2^(Sᵀ − most) over Sᵀ; what came before is scaled to the new maximum.
template <int R>
STRATA_INLINE void step_softmax(float* s, std::int64_t keys, std::int64_t d, const ForwardBlock& block) {
  constexpr int n = R * kWidth;
  unrolled<0, R>([&](auto r) __attribute__((always_inline)) {
    const Lane before = load_lane(block.most + r * kWidth);
    Lane most = before;
    for (std::int64_t j = 0; j < keys; ++j) most = max(most, load_lane(s + j * n + r * kWidth));
    Lane total = splat<Lane>(0.0f);
    for (std::int64_t j = 0; j < keys; ++j) {
      const Lane p = exp2(load_lane(s + j * n + r * kWidth) - most);
      store_same(s + j * n + r * kWidth, p);
      total = total + p;
    }
    const Lane factor = exp2(before - most);
    store_same(block.total + r * kWidth, multiply_add(load_lane(block.total + r * kWidth), factor, total));
    store_same(block.most + r * kWidth, most);
    scale_columns(block.o + r * kWidth, d, n, factor);
  });
}

template <int R, class T>
void begin_block(const AttentionProblem<T>& p, std::int64_t first, const ForwardBlock& block) {
  constexpr int n = R * kWidth;
  const float factor = static_cast<float>(static_cast<double>(p.scale) * kLog2E);
  fill(block.q, p.head_width * n, 0.0f);
  transpose(p.q.data + first * p.q.stride, p.q.stride, smaller(n, p.queries - first), p.head_width, factor, block.q, n);
  fill(block.o, p.head_width * n, 0.0f);
  fill(block.most, n, -__builtin_inff());
  fill(block.total, n, 0.0f);
}

// A block of queries over packed keys and values, [keys, d] each.
template <int R>
void forward_block(const float* k, const float* v, std::int64_t keys, std::int64_t d, const ForwardBlock& block,
                   float* s) {
  constexpr int n = R * kWidth;
  for (std::int64_t j = 0; j < keys; j += kKeyStep) {
    const std::int64_t count = smaller(kKeyStep, keys - j);
    product<R, false>(k + j * d, d, block.q, n, s, n, count, d);
    step_softmax<R>(s, count, d, block);
    product_of_transposed<R>(v + j * d, d, s, n, block.o, n, d, count);
  }
}

template <int R, class T>
void finish_block(const AttentionProblem<T>& p, std::int64_t first, const ForwardBlock& block, Matrix<T> o,
                  float* lse) {
  constexpr int n = R * kWidth;
  const std::int64_t count = smaller(n, p.queries - first);
  for (int r = 0; r < n; r += kWidth)
    scale_columns(block.o + r, p.head_width, n, splat<Lane>(1.0f) / load_lane(block.total + r));
  transpose(block.o, n, p.head_width, count, 1.0f, o.data + first * o.stride, o.stride);
  for (std::int64_t i = 0; i < count; ++i)
    lse[first + i] = static_cast<float>(static_cast<double>(block.most[i]) * kLn2 +
                                        __builtin_log(static_cast<double>(block.total[i])));
}

std::int64_t block_floats(std::int64_t d) { return (2 * d + 2) * kMostQueries; }

std::int64_t forward_scratch(std::int64_t head_width, std::int64_t queries) {
  return 2 * kKeyBlock * head_width + kKeyStep * kMostQueries + blocks_of(queries).count * block_floats(head_width);
}

template <class T>
void forward(const AttentionProblem<T>& p, Matrix<T> o, float* lse, float* scratch) {
  const Blocks blocks = blocks_of(p.queries);
  const std::int64_t d = p.head_width;
  float* k = scratch;
  float* v = k + kKeyBlock * d;
  float* s = v + kKeyBlock * d;
  float* first_block = s + kKeyStep * kMostQueries;
  const auto block = [=](std::int64_t i) __attribute__((always_inline)) {
    float* at = first_block + i * block_floats(d);
    return ForwardBlock{at, at + d * kMostQueries, at + 2 * d * kMostQueries, at + (2 * d + 1) * kMostQueries};
  };
  for (std::int64_t i = 0; i < blocks.count; ++i)
    with_registers(
        blocks, i, [&](auto r) __attribute__((always_inline)) { begin_block<r>(p, begin_of(blocks, i), block(i)); });
  for (std::int64_t j = 0; j < p.keys; j += kKeyBlock) {
    const std::int64_t keys = smaller(kKeyBlock, p.keys - j);
    pack_rows(p.k.data + j * p.k.stride, p.k.stride, keys, d, k, d, up_to(keys, kTileRows));
    pack_rows(p.v.data + j * p.v.stride, p.v.stride, keys, d, v, d, keys);
    for (std::int64_t i = 0; i < blocks.count; ++i)
      with_registers(
          blocks, i, [&](auto r) __attribute__((always_inline)) { forward_block<r>(k, v, keys, d, block(i), s); });
  }
  for (std::int64_t i = 0; i < blocks.count; ++i)
    with_registers(
        blocks,
        i, [&](auto r) __attribute__((always_inline)) { finish_block<r>(p, begin_of(blocks, i), block(i), o, lse); });
}

// --- backward

// A block of n queries with what belongs to it. d' is the head width rounded up to whole registers.
struct BackwardBlock {
  float *q, *d_o;            // [d, n], transposed; q times scale · log2 e
  float *q_rows, *d_o_rows;  // [n, d'], as they are
  float *lse, *delta;        // [n]; lse in units of log2
  float* dq;                 // [d, n], without the scale; in the caller's memory
  float *s, *ds;             // [kKeyStep, n]
};
struct BackwardKeys {
  float *k, *v;    // [keys, d]
  float *dk, *dv;  // [keys, d'], dk without the scale
};

// Pᵀ = 2^(Sᵀ − lse) over Sᵀ, and dSᵀ = Pᵀ ∘ (dPᵀ − δ) over dPᵀ.
template <int R>
STRATA_INLINE void step_gradient(float* s, float* ds, std::int64_t keys, const BackwardBlock& block) {
  constexpr int n = R * kWidth;
  unrolled<0, R>([&](auto r) __attribute__((always_inline)) {
    const Lane lse = load_lane(block.lse + r * kWidth), delta = load_lane(block.delta + r * kWidth);
    for (std::int64_t at = r * kWidth; at < keys * n; at += n) {
      const Lane p = exp2(load_lane(s + at) - lse);
      store_same(s + at, p);
      store_same(ds + at, p * (load_lane(ds + at) - delta));
    }
  });
}

// c [rows, d'] += a [rows, depth] · b [depth, d'].
STRATA_INLINE void wide_product(const float* a, std::int64_t a_stride, const float* b, float* c, std::int64_t wide,
                                std::int64_t rows, std::int64_t depth) {
  const Blocks blocks = blocks_of(wide);
  for (std::int64_t i = 0; i < blocks.count; ++i) {
    const std::int64_t at = begin_of(blocks, i);
    with_registers(
        blocks, i, [&](auto r) __attribute__((always_inline)) {
          product<r, true>(a, a_stride, b + at, wide, c + at, wide, rows, depth);
        });
  }
}

template <int R>
void backward_block(const BackwardKeys& keys, std::int64_t key_count, std::int64_t queries, std::int64_t d,
                    const BackwardBlock& block) {
  constexpr int n = R * kWidth;
  const std::int64_t wide = up_to(d, kWidth);
  for (std::int64_t j = 0; j < key_count; j += kKeyStep) {
    const std::int64_t count = smaller(kKeyStep, key_count - j);
    product<R, false>(keys.k + j * d, d, block.q, n, block.s, n, count, d);
    product<R, false>(keys.v + j * d, d, block.d_o, n, block.ds, n, count, d);
    step_gradient<R>(block.s, block.ds, count, block);
    product_of_transposed<R>(keys.k + j * d, d, block.ds, n, block.dq, n, d, count);
    wide_product(block.s, n, block.d_o_rows, keys.dv + j * wide, wide, count, queries);
    wide_product(block.ds, n, block.q_rows, keys.dk + j * wide, wide, count, queries);
  }
}

// δ = Σ do·o − dlse of each query: with it, dS = P ∘ (dP − δ) includes the gradient that comes through lse.
template <class T>
void load_statistics(const AttentionCotangents<T>& c, std::int64_t first, std::int64_t count, std::int64_t n,
                     std::int64_t d, const BackwardBlock& block) {
  fill(block.lse, n, 0.0f);
  fill(block.delta, n, 0.0f);
  for (std::int64_t i = 0; i < count; ++i) {
    const T* o = c.o.data + (first + i) * c.o.stride;
    const T* d_o = c.d_o.data + (first + i) * c.d_o.stride;
    Eight sum = splat<Eight>(0.0f);
    for (std::int64_t j = 0; j < d; j += 8) sum = sum + load_as<Eight>(o + j) * load_as<Eight>(d_o + j);
    float lane[8];
    store_same(lane, sum);
    const float dot = ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
    block.delta[i] = dot - (c.d_lse != nullptr ? c.d_lse[first + i] : 0.0f);
    block.lse[i] = static_cast<float>(static_cast<double>(c.lse[first + i]) * kLog2E);
  }
}

// n queries from `first` on, `count` of them real; the others are zero.
template <class T>
void load_block(const AttentionProblem<T>& p, const AttentionCotangents<T>& c, std::int64_t first, std::int64_t count,
                std::int64_t n, const BackwardBlock& block) {
  const std::int64_t d = p.head_width, wide = up_to(d, kWidth);
  const T* q = p.q.data + first * p.q.stride;
  const T* d_o = c.d_o.data + first * c.d_o.stride;
  if (count < n) {
    fill(block.q, d * n, 0.0f);
    fill(block.d_o, d * n, 0.0f);
  }
  transpose(q, p.q.stride, count, d, static_cast<float>(static_cast<double>(p.scale) * kLog2E), block.q, n);
  transpose(d_o, c.d_o.stride, count, d, 1.0f, block.d_o, n);
  pack_rows(q, p.q.stride, count, d, block.q_rows, wide, count);
  pack_rows(d_o, c.d_o.stride, count, d, block.d_o_rows, wide, count);
  load_statistics(c, first, count, n, d, block);
}

std::int64_t backward_scratch(std::int64_t head_width, std::int64_t keys) {
  const std::int64_t wide = up_to(head_width, kWidth), rows = up_to(keys, kTileRows);
  return kMostQueries * (2 * head_width + 2 * wide + 2 + 2 * kKeyStep) + rows * 2 * (head_width + wide);
}

std::int64_t dq_floats(std::int64_t head_width, std::int64_t queries) {
  return blocks_of(queries).registers * kWidth * head_width;
}

template <class T>
void backward(const AttentionProblem<T>& p, const AttentionCotangents<T>& c, float* dq, Matrix<T> dk, Matrix<T> dv,
              float* scratch) {
  const std::int64_t d = p.head_width, wide = up_to(d, kWidth), rows = up_to(p.keys, kTileRows);
  const auto take = [&](std::int64_t floats) __attribute__((always_inline)) {
    float* piece = scratch;
    scratch += floats;
    return piece;
  };
  constexpr std::int64_t most = kMostQueries;
  BackwardBlock block{.q = take(d * most),
                      .d_o = take(d * most),
                      .q_rows = take(wide * most),
                      .d_o_rows = take(wide * most),
                      .lse = take(most),
                      .delta = take(most),
                      .dq = nullptr,
                      .s = take(kKeyStep * most),
                      .ds = take(kKeyStep * most)};
  const BackwardKeys keys{take(rows * d), take(rows * d), take(rows * wide), take(rows * wide)};
  pack_rows(p.k.data, p.k.stride, p.keys, d, keys.k, d, rows);
  pack_rows(p.v.data, p.v.stride, p.keys, d, keys.v, d, rows);
  fill(keys.dk, rows * wide, 0.0f);
  fill(keys.dv, rows * wide, 0.0f);

  const Blocks blocks = blocks_of(p.queries);
  for (std::int64_t i = 0; i < blocks.count; ++i) {
    const std::int64_t first = begin_of(blocks, i), n = begin_of(blocks, i + 1) - first;
    const std::int64_t count = smaller(n, p.queries - first);
    block.dq = dq + first * d;
    load_block(p, c, first, count, n, block);
    with_registers(
        blocks, i, [&](auto r) __attribute__((always_inline)) { backward_block<r>(keys, p.keys, count, d, block); });
  }
  unpack_rows(keys.dk, wide, p.keys, d, p.scale, dk.data, dk.stride);
  unpack_rows(keys.dv, wide, p.keys, d, 1.0f, dv.data, dv.stride);
}

template <class T>
void write_dq(const float* dq, std::int64_t queries, std::int64_t head_width, float scale, Matrix<T> into) {
  const Blocks blocks = blocks_of(queries);
  for (std::int64_t i = 0; i < blocks.count; ++i) {
    const std::int64_t first = begin_of(blocks, i), n = begin_of(blocks, i + 1) - first;
    transpose(dq + first * head_width, n, head_width, smaller(n, queries - first), scale,
              into.data + first * into.stride, into.stride);
  }
}

template <class T>
inline constexpr AttentionSimd<T> kKernels{&forward_scratch, &forward<T>,  &backward_scratch,
                                           &dq_floats,       &backward<T>, &write_dq<T>};

}  // namespace

extern const AttentionSimd<float> attention_f32_simd = kKernels<float>;
extern const AttentionSimd<std::uint16_t> attention_bf16_simd = kKernels<std::uint16_t>;

}  // namespace strata::cpu::STRATA_ISA
