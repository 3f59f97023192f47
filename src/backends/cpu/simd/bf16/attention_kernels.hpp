// SPDX-License-Identifier: Apache-2.0
//
// Attention in bf16 on a unit that multiplies it (products.hpp). As in simd/attention.cpp queries lie in the lanes, and
// each product has one operand with depth along its rows and one with the queries (or the head's columns) along them:
//   forward   Sᵀ = K·Qᵀ    Oᵀ += Vᵀ·Pᵀ
//   backward  Sᵀ = K·Qᵀ    dPᵀ = V·dOᵀ    dQᵀ += Kᵀ·dSᵀ    dV += Pᵀ·dO    dK += dSᵀ·Q
// Sums, statistics and the softmax are f32; P and dS are rounded to bf16 as operands, and nothing else is. The scale is
// applied to sums, so that q stays exact.
#pragma once

#include "backends/cpu/simd/attention.hpp"
#include "backends/cpu/simd/bf16/packing.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

inline constexpr std::int64_t kMostQueries = 96;  // of a block: two register tiles or three pairs of AMX's
// Keys that pass through Sᵀ together.
inline constexpr std::int64_t kForwardStep = 128, kBackwardStep = 64;
// Keys and values that are copied together for all queries of a problem: 2 × 512 × 64 bf16 = 128 KiB.
inline constexpr std::int64_t kKeyBlock = 512;
inline constexpr std::int64_t kRowPad = 16;  // pairs between long rows, so that they do not share cache sets

template <class Unit>
struct Bf16Attention {
  using T = std::uint16_t;
  using Problem = AttentionProblem<T>;
  using Cotangents = AttentionCotangents<T>;

  // Queries of a block are a depth of dK and dV.
  static constexpr std::int64_t kQueryPad = Unit::kPairs > 8 ? 2 * Unit::kPairs : kLanes;

  // Extents of a problem as the unit wants them.
  struct Head {
    std::int64_t width, pairs, rows, columns;  // of the head: as depth, as rows and as columns of a product
    explicit Head(std::int64_t d)
        : width(d), pairs(up_to(d / 2, Unit::kPairs)), rows(up_to(d, Unit::kRows)), columns(up_to(d, kLanes)) {}
  };
  static std::int64_t pair_count(std::int64_t n) { return up_to((n + 1) / 2, Unit::kPairs); }
  // Rows that hold n keys, as rows of a product and as its depth.
  static std::int64_t row_count(std::int64_t n) {
    const std::int64_t rows = up_to(n, Unit::kRows), depth = 2 * pair_count(n);
    return up_to(rows > depth ? rows : depth, 8);
  }

  // n queries as blocks of nearly equal size.
  struct QueryBlocks {
    std::int64_t groups, count;
    explicit QueryBlocks(std::int64_t n)
        : groups((n + kQueryPad - 1) / kQueryPad), count((n + kMostQueries - 1) / kMostQueries) {}
    std::int64_t begin(std::int64_t i) const { return groups * i / count * kQueryPad; }
    std::int64_t size(std::int64_t i) const { return begin(i + 1) - begin(i); }
  };

  // Scratch memory, handed out in whole cache lines; without memory, to count them.
  struct Scratch {
    float* memory = nullptr;
    std::int64_t used = 0;
    float* floats(std::int64_t n) {
      float* piece = memory == nullptr ? nullptr : memory + used;
      used += up_to(n, 16);
      return piece;
    }
    Pairs pairs(std::int64_t rows, std::int64_t stride) {
      return {reinterpret_cast<Pair*>(floats(rows * stride)), stride};
    }
  };

  static ConstHalves halves(const Matrix<const T>& m, std::int64_t first, std::int64_t rows, std::int64_t width) {
    return {m.data + first * m.stride, m.stride, rows, width};
  }
  // Scores are taken from |scale|, so that the largest product is the largest score.
  static float log2_scale(const Problem& p) {
    return static_cast<float>(__builtin_fabs(static_cast<double>(p.scale)) * kLog2E);
  }
  static Pair signs(const Problem& p) { return p.scale < 0 ? 0x80008000u : 0u; }

  // f(pair, first, second) for keys 2 · pair and 2 · pair + 1, each as at(key); zero where there is no key.
  template <class At, class F>
  STRATA_INLINE static void each_pair(std::int64_t keys, const At& at, const F& f) {
    for (std::int64_t j = 0; j + 1 < keys; j += 2) f(j / 2, at(j), at(j + 1));
    if (keys % 2 != 0) f(keys / 2, at(keys - 1), decltype(at(0)){});
  }

  // --- forward

  // What the online softmax carries for a block of n queries.
  struct ForwardBlock {
    Pairs q;       // [d / 2, n], transposed
    float* o;      // [d, n], of the keys so far, to be divided by `total`
    float* most;   // [n], the largest score so far, in units of log2
    float* total;  // [n], the sum of 2^(score − most)
    std::int64_t n;
  };
  static ForwardBlock take_forward(Scratch& scratch, const Head& head, std::int64_t n) {
    return {scratch.pairs(head.pairs, n), scratch.floats(head.rows * n), scratch.floats(n), scratch.floats(n), n};
  }

  static void begin_block(const Problem& p, std::int64_t first, const ForwardBlock& block) {
    const Head head(p.head_width);
    const std::int64_t n = block.n;
    transpose_rows(halves(p.q, first, smaller(n, p.queries - first), p.head_width), block.q, n, head.pairs, signs(p));
    fill(block.o, head.rows * n, 0.0f);
    fill(block.most, n, -__builtin_inff());
    fill(block.total, n, 0.0f);
  }

  // Pᵀ = 2^(factor · Sᵀ − most) as pairs of keys; what came before is scaled to the new maximum.
  static void step_softmax(const float* s, std::int64_t keys, float factor, Pairs p, const Head& head,
                           const ForwardBlock& block) {
    const std::int64_t n = block.n;
    const Floats scale = splat(factor);
    for (std::int64_t r = 0; r < n; r += kLanes) {
      const Floats before = load(block.most + r);
      Floats even = load(s + r), odd = even;
      for (std::int64_t j = 1; j + 1 < keys; j += 2) {
        even = max(even, load(s + j * n + r));
        odd = max(odd, load(s + (j + 1) * n + r));
      }
      even = max(max(even, odd), load(s + (keys - 1) * n + r));
      const Floats most = max(before, even * scale), minus = splat(0.0f) - most;
      Floats total = splat(0.0f);
      const auto score = [&](std::int64_t j) __attribute__((always_inline)) {
        return exp2(multiply_add(load(s + j * n + r), scale, minus));
      };
      each_pair(
          keys, score, [&](std::int64_t pair, Floats a, Floats b) __attribute__((always_inline)) {
            store_same(p.data + pair * n + r, round_both(a, b).pairs);
            total = total + (a + b);
          });
      const Floats fade = exp2(before - most);
      store(block.total + r, multiply_add(load(block.total + r), fade, total));
      store(block.most + r, most);
      for (std::int64_t c = 0; c < head.rows; ++c) store(block.o + c * n + r, load(block.o + c * n + r) * fade);
    }
    const std::int64_t written = (keys + 1) / 2;
    fill_pairs(p.data + written * n, (pair_count(keys) - written) * n);
  }

  static void finish_block(const Problem& p, std::int64_t first, const ForwardBlock& block, Matrix<T> o, float* lse) {
    const std::int64_t n = block.n, count = smaller(n, p.queries - first);
    for (std::int64_t r = 0; r < n; r += kLanes) {
      const Floats factor = splat(1.0f) / load(block.total + r);
      for (std::int64_t c = 0; c < p.head_width; ++c) store(block.o + c * n + r, load(block.o + c * n + r) * factor);
    }
    transpose(block.o, n, p.head_width, count, 1.0f, o.data + first * o.stride, o.stride);
    for (std::int64_t i = 0; i < count; ++i)
      lse[first + i] = static_cast<float>(static_cast<double>(block.most[i]) * kLn2 +
                                          __builtin_log(static_cast<double>(block.total[i])));
  }

  struct ForwardScratch {
    Pairs k, vt, p;
    float* s;
    ForwardScratch(Scratch& scratch, const Head& head)
        : k(scratch.pairs(kKeyBlock, head.pairs)),
          vt(scratch.pairs(head.rows, kKeyBlock / 2 + kRowPad)),
          p(scratch.pairs(kForwardStep / 2, kMostQueries)),
          s(scratch.floats(kForwardStep * kMostQueries)) {}
  };

  static std::int64_t forward_scratch(std::int64_t head_width, std::int64_t queries) {
    const Head head(head_width);
    Scratch scratch;
    const ForwardScratch common(scratch, head);
    const QueryBlocks blocks(queries);
    for (std::int64_t i = 0; i < blocks.count; ++i) take_forward(scratch, head, blocks.size(i));
    return scratch.used;
  }

  static void forward(const Problem& p, Matrix<T> o, float* lse, float* memory) {
    [[maybe_unused]] const typename Unit::Session session;
    const Head head(p.head_width);
    const QueryBlocks blocks(p.queries);
    Scratch scratch{.memory = memory};
    const ForwardScratch common(scratch, head);
    const std::int64_t first_block = scratch.used;
    const auto each_block = [&](const auto& f) __attribute__((always_inline)) {
      scratch.used = first_block;
      for (std::int64_t i = 0; i < blocks.count; ++i) f(blocks.begin(i), take_forward(scratch, head, blocks.size(i)));
    };
    each_block([&](std::int64_t first, const ForwardBlock& block) { begin_block(p, first, block); });
    for (std::int64_t j = 0; j < p.keys; j += kKeyBlock) {
      const std::int64_t keys = smaller(kKeyBlock, p.keys - j);
      copy_rows(halves(p.k, j, keys, head.width), common.k, up_to(keys, Unit::kRows));
      transpose_all(halves(p.v, j, keys, head.width), common.vt, row_count(keys), head.rows);
      each_block(
          [&](std::int64_t, const ForwardBlock& block) { forward_keys(common, keys, log2_scale(p), head, block); });
    }
    each_block([&](std::int64_t first, const ForwardBlock& block) { finish_block(p, first, block, o, lse); });
  }

  static void forward_keys(const ForwardScratch& x, std::int64_t keys, float factor, const Head& head,
                           const ForwardBlock& block) {
    const std::int64_t n = block.n;
    for (std::int64_t j = 0; j < keys; j += kForwardStep) {
      const std::int64_t count = smaller(kForwardStep, keys - j);
      Unit::template product<false>({x.k.data + j * x.k.stride, x.k.stride}, block.q, {x.s, n},
                                    {up_to(count, Unit::kRows), n, head.pairs});
      step_softmax(x.s, count, factor, {x.p.data, n}, head, block);
      Unit::template product<true>({x.vt.data + j / 2, x.vt.stride}, {x.p.data, n}, {block.o, n},
                                   {head.rows, n, pair_count(count)});
    }
  }

  // --- backward

  // A block of n queries with what belongs to it.
  struct BackwardBlock {
    Pairs q, d_o;            // [d / 2, n], transposed
    Pairs q_rows, d_o_rows;  // [n / 2, d], pairs of queries
    float *lse, *delta;      // [n]; lse in units of log2
    float *s, *dp;           // [kBackwardStep, n]
    Pairs p, ds;             // [kBackwardStep, n / 2]
    Pairs ds_pairs;          // [kBackwardStep / 2, n], pairs of keys
    float* dq;               // [d, n], without the scale; in the caller's memory
    std::int64_t n;

    BackwardBlock(Scratch& scratch, const Head& head)
        : q(scratch.pairs(head.pairs, kMostQueries)),
          d_o(scratch.pairs(head.pairs, kMostQueries)),
          q_rows(scratch.pairs(kMostQueries / 2, head.columns)),
          d_o_rows(scratch.pairs(kMostQueries / 2, head.columns)),
          lse(scratch.floats(kMostQueries)),
          delta(scratch.floats(kMostQueries)),
          s(scratch.floats(kBackwardStep * kMostQueries)),
          dp(scratch.floats(kBackwardStep * kMostQueries)),
          p(scratch.pairs(kBackwardStep, kMostQueries / 2)),
          ds(scratch.pairs(kBackwardStep, kMostQueries / 2)),
          ds_pairs(scratch.pairs(kBackwardStep / 2, kMostQueries)),
          dq(nullptr),
          n(0) {}
    void resize(std::int64_t queries) {
      n = q.stride = d_o.stride = ds_pairs.stride = queries;
      p.stride = ds.stride = queries / 2;
    }
  };
  struct BackwardKeys {
    Pairs k, v;      // [keys, d / 2]
    Pairs kt;        // [d, keys / 2]
    float *dk, *dv;  // [keys, d], dk without the scale

    BackwardKeys(Scratch& scratch, const Head& head, std::int64_t keys)
        : k(scratch.pairs(row_count(keys), head.pairs)),
          v(scratch.pairs(row_count(keys), head.pairs)),
          kt(scratch.pairs(head.rows, row_count(keys) / 2 + kRowPad)),
          dk(scratch.floats(row_count(keys) * head.columns)),
          dv(scratch.floats(row_count(keys) * head.columns)) {}
  };

  // P = 2^(factor · S − lse) and dS = P ∘ (dP − δ), as operands.
  static void step_gradient(std::int64_t keys, float factor, const BackwardBlock& x) {
    const std::int64_t n = x.n;
    const Floats scale = splat(factor);
    for (std::int64_t r = 0; r < n; r += kLanes) {
      const Floats minus = splat(0.0f) - load(x.lse + r), delta = load(x.delta + r);
      struct Both {
        Floats p = splat(0.0f), ds = splat(0.0f);
      };
      const auto at = [&](std::int64_t j) __attribute__((always_inline)) {
        const Floats p = exp2(multiply_add(load(x.s + j * n + r), scale, minus));
        return Both{p, p * (load(x.dp + j * n + r) - delta)};
      };
      each_pair(
          keys, at, [&](std::int64_t pair, const Both& a, const Both& b) __attribute__((always_inline)) {
            const Rounded p = round_both(a.p, b.p), ds = round_both(a.ds, b.ds);
            Pair* p_row = x.p.data + pair * n + r / 2;  // two rows of n / 2 pairs
            Pair* ds_row = x.ds.data + pair * n + r / 2;
            store_same(p_row, p.a);
            store_same(p_row + n / 2, p.b);
            store_same(ds_row, ds.a);
            store_same(ds_row + n / 2, ds.b);
            store_same(x.ds_pairs.data + pair * n + r, ds.pairs);
          });
    }
    const std::int64_t written = (keys + 1) / 2, padded = pair_count(keys);
    fill_pairs(x.ds_pairs.data + written * n, (padded - written) * n);
  }

  static void backward_block(const BackwardKeys& keys, std::int64_t key_count, float factor, const Head& head,
                             const BackwardBlock& x) {
    const std::int64_t n = x.n, columns = head.columns;
    for (std::int64_t j = 0; j < key_count; j += kBackwardStep) {
      const std::int64_t count = smaller(kBackwardStep, key_count - j), rows = up_to(count, Unit::kRows);
      const Extent scores{rows, n, head.pairs}, to_keys{rows, columns, n / 2};
      Unit::template product<false>({keys.k.data + j * keys.k.stride, keys.k.stride}, x.q, {x.s, n}, scores);
      Unit::template product<false>({keys.v.data + j * keys.v.stride, keys.v.stride}, x.d_o, {x.dp, n}, scores);
      step_gradient(count, factor, x);
      Unit::template product<true>({keys.kt.data + j / 2, keys.kt.stride}, x.ds_pairs, {x.dq, n},
                                   {head.rows, n, pair_count(count)});
      Unit::template product<true>(x.p, x.d_o_rows, {keys.dv + j * columns, columns}, to_keys);
      Unit::template product<true>(x.ds, x.q_rows, {keys.dk + j * columns, columns}, to_keys);
    }
  }

  // δ = Σ do·o − dlse of each query: with it, dS = P ∘ (dP − δ) includes the gradient that comes through lse.
  static void load_statistics(const Cotangents& c, std::int64_t first, std::int64_t count, std::int64_t d,
                              const BackwardBlock& x) {
    fill(x.lse, x.n, 0.0f);
    fill(x.delta, x.n, 0.0f);
    const ConstHalves all = halves(c.o, first, count, d);
    for (std::int64_t i = 0; i < count; ++i) {
      look_ahead(all, i);
      const T* o = c.o.data + (first + i) * c.o.stride;
      const T* d_o = c.d_o.data + (first + i) * c.d_o.stride;
      Eight sum = splat<Eight>(0.0f);
      for (std::int64_t j = 0; j < d; j += 8) sum = multiply_add(load_as<Eight>(o + j), load_as<Eight>(d_o + j), sum);
      float lane[8];
      store_same(lane, sum);
      const float dot = ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
      x.delta[i] = dot - (c.d_lse != nullptr ? c.d_lse[first + i] : 0.0f);
      x.lse[i] = static_cast<float>(static_cast<double>(c.lse[first + i]) * kLog2E);
    }
  }

  static void load_block(const Problem& p, const Cotangents& c, std::int64_t first, const Head& head,
                         const BackwardBlock& x) {
    const std::int64_t count = smaller(x.n, p.queries - first);
    const ConstHalves q = halves(p.q, first, count, head.width), d_o = halves(c.d_o, first, count, head.width);
    transpose_rows(q, x.q, x.n, head.pairs, signs(p));
    transpose_rows(d_o, x.d_o, x.n, head.pairs, 0);
    interleave_rows(q, x.q_rows, x.n);
    interleave_rows(d_o, x.d_o_rows, x.n);
    load_statistics(c, first, count, head.width, x);
  }

  static std::int64_t backward_scratch(std::int64_t head_width, std::int64_t keys) {
    const Head head(head_width);
    Scratch scratch;
    const BackwardBlock block(scratch, head);
    const BackwardKeys packed(scratch, head, keys);
    return scratch.used;
  }
  static std::int64_t dq_floats(std::int64_t head_width, std::int64_t queries) {
    return QueryBlocks(queries).groups * kQueryPad * Head(head_width).rows;
  }

  static void backward(const Problem& p, const Cotangents& c, float* dq, Matrix<T> dk, Matrix<T> dv, float* memory) {
    [[maybe_unused]] const typename Unit::Session session;
    const Head head(p.head_width);
    Scratch scratch{.memory = memory};
    BackwardBlock block(scratch, head);
    const BackwardKeys keys(scratch, head, p.keys);
    const std::int64_t rows = row_count(p.keys);
    copy_rows(halves(p.k, 0, p.keys, head.width), keys.k, rows);
    copy_rows(halves(p.v, 0, p.keys, head.width), keys.v, rows);
    transpose_all(halves(p.k, 0, p.keys, head.width), keys.kt, rows, head.rows);
    fill(keys.dk, rows * head.columns, 0.0f);
    fill(keys.dv, rows * head.columns, 0.0f);

    const QueryBlocks blocks(p.queries);
    for (std::int64_t i = 0; i < blocks.count; ++i) {
      block.resize(blocks.size(i));
      block.dq = dq + blocks.begin(i) * head.rows;
      load_block(p, c, blocks.begin(i), head, block);
      backward_block(keys, p.keys, log2_scale(p), head, block);
    }
    unpack_rows(keys.dk, head.columns, p.keys, head.width, p.scale, dk.data, dk.stride);
    unpack_rows(keys.dv, head.columns, p.keys, head.width, 1.0f, dv.data, dv.stride);
  }

  static void write_dq(const float* dq, std::int64_t queries, std::int64_t head_width, float scale, Matrix<T> into) {
    const Head head(head_width);
    const QueryBlocks blocks(queries);
    for (std::int64_t i = 0; i < blocks.count; ++i) {
      const std::int64_t first = blocks.begin(i), n = blocks.size(i);
      transpose(dq + first * head.rows, n, head_width, smaller(n, queries - first), scale,
                into.data + first * into.stride, into.stride);
    }
  }

  static constexpr AttentionSimd<T> kKernels{&forward_scratch, &forward,  &backward_scratch,
                                             &dq_floats,       &backward, &write_dq};
};

}  // namespace
}  // namespace strata::cpu::STRATA_ISA
