// SPDX-License-Identifier: Apache-2.0
//
// Small matrix products whose accumulators stay in registers, the packing around them, and 2^x: what attention is made
// of. For simd/*.cpp only. Not for large products (those are oneDNN's): nothing here is blocked for caches, callers
// are.
#pragma once

#include <cstddef>

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

inline constexpr int kWidth = kRegister / static_cast<int>(sizeof(float));
using Lane = Pack<float, kWidth>;  // one register

// A tile of the result is kTileRows × up to kTileColumns registers: 24 of AVX-512's 32 registers, 12 of 16 elsewhere.
// It needs kTileRows + kTileColumns loads for kTileRows · kTileColumns multiply-adds, 11 for 24 (7 for 12), so the
// multiply-adds are the limit. Head widths are multiples of both heights.
inline constexpr int kTileRows = kRegister == 64 ? 8 : 4;
inline constexpr int kTileColumns = 3;

STRATA_INLINE std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
STRATA_INLINE std::int64_t up_to(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

template <int I>
struct Index {
  constexpr operator int() const { return I; }
};
// f(Index<Begin>), ..., f(Index<End − 1>), without a loop: arrays indexed so become registers at any level of
// optimisation.
template <int Begin, int End, class F>
STRATA_INLINE void unrolled(const F& f) {
  if constexpr (Begin < End) {
    f(Index<Begin>{});
    unrolled<Begin + 1, End>(f);
  }
}

inline constexpr double kLog2E = 1.44269504088896340736, kLn2 = 0.693147180559945309417;

STRATA_INLINE Lane load_lane(const float* from) { return load_same<Lane>(from); }

// a · b + c, in one rounding where the instruction set has it.
template <int N>
STRATA_INLINE Pack<float, N> multiply_add(Pack<float, N> a, Pack<float, N> b, Pack<float, N> c) {
  if constexpr (!Pack<float, N>::kLeaf) {
    return {multiply_add(a.lo, b.lo, c.lo), multiply_add(a.hi, b.hi, c.hi)};
  } else {
#if defined(__AVX512F__)
    if constexpr (N == 16) return {_mm512_fmadd_ps(a.v, b.v, c.v)};
#elif defined(__FMA__)
    if constexpr (N == 8) return {_mm256_fmadd_ps(a.v, b.v, c.v)};
#endif
    return a * b + c;
  }
}

// 2^x for x ≤ 126 within 2 units in the last place, 2^-126 or less below -126; NaN stays NaN. The polynomial is a
// minimax fit of the relative error with p(0) = 1: 1e-7.
template <int N>
STRATA_INLINE Pack<float, N> exp2(Pack<float, N> x) {
  using P = Pack<float, N>;
  x = max(splat<P>(-126.0f), x);              // in this order, which keeps a NaN
  const P shifted = x + splat<P>(0x1.8p23f);  // the nearest integer, in the low bits
  const P f = x - (shifted - splat<P>(0x1.8p23f));
  P p = splat<P>(0.0013264727f);
  p = multiply_add(p, f, splat<P>(0.009671513f));
  p = multiply_add(p, f, splat<P>(0.055507336f));
  p = multiply_add(p, f, splat<P>(0.24022242f));
  p = multiply_add(p, f, splat<P>(0.693147f));
  p = multiply_add(p, f, splat<P>(1.0f));
  return bits<float>(bits<std::int32_t>(p) + shift_left<23>(bits<std::int32_t>(shifted)));
}

// n columns as blocks of one to kTileColumns registers: as few as possible and of nearly equal size.
struct Blocks {
  std::int64_t registers, count;
};
STRATA_INLINE Blocks blocks_of(std::int64_t n) {
  const std::int64_t registers = (n + kWidth - 1) / kWidth;
  return {registers, (registers + kTileColumns - 1) / kTileColumns};
}
STRATA_INLINE std::int64_t begin_of(const Blocks& blocks, std::int64_t i) {
  return blocks.registers * i / blocks.count * kWidth;
}

// Calls f(Index<registers>) for block i.
template <class F>
STRATA_INLINE void with_registers(const Blocks& blocks, std::int64_t i, const F& f) {
  switch ((begin_of(blocks, i + 1) - begin_of(blocks, i)) / kWidth) {
    case 1: return f(Index<1>{});
    case 2: return f(Index<2>{});
    default: return f(Index<3>{});
  }
}

// --- products

// c [M, R registers] = or += a · b. a's element (i, k) lies at a[i · a_stride + k], or with Transposed at
// a[k · a_stride + i]; b [depth, R registers].
template <int M, int R, bool Transposed, bool Add>
STRATA_INLINE void tile(const float* a, std::int64_t a_stride, const float* b, std::int64_t b_stride, float* c,
                        std::int64_t c_stride, std::int64_t depth) {
  Lane sum[std::size_t{M}][std::size_t{R}];
  const float* row[std::size_t{M}];
  unrolled<0, M>([&](auto i) __attribute__((always_inline)) {
    row[i] = Transposed ? a + i : a + i * a_stride;
    unrolled<0, R>([&](auto r) __attribute__((always_inline)) {
      sum[i][r] = Add ? load_lane(c + i * c_stride + r * kWidth) : splat<Lane>(0.0f);
    });
  });
  for (std::int64_t k = 0; k < depth; ++k) {
    Lane right[std::size_t{R}];
    unrolled<0, R>([&](auto r) __attribute__((always_inline)) { right[r] = load_lane(b + k * b_stride + r * kWidth); });
    unrolled<0, M>([&](auto i) __attribute__((always_inline)) {
      const Lane left = splat<Lane>(Transposed ? a[k * a_stride + i] : row[i][k]);
      unrolled<0, R>([&](auto r)
                         __attribute__((always_inline)) { sum[i][r] = multiply_add(left, right[r], sum[i][r]); });
    });
  }
  unrolled<0, M>([&](auto i) __attribute__((always_inline)) {
    unrolled<0, R>([&](auto r)
                       __attribute__((always_inline)) { store_same(c + i * c_stride + r * kWidth, sum[i][r]); });
  });
}

// c [rows, R registers] = or += a [rows, depth] · b [depth, R registers]. Rows are done kTileRows at a time: a and c
// have memory for the next multiple.
template <int R, bool Add>
void product(const float* a, std::int64_t a_stride, const float* b, std::int64_t b_stride, float* c,
             std::int64_t c_stride, std::int64_t rows, std::int64_t depth) {
  for (std::int64_t i = 0; i < rows; i += kTileRows)
    tile<kTileRows, R, false, Add>(a + i * a_stride, a_stride, b, b_stride, c + i * c_stride, c_stride, depth);
}

// c [rows, R registers] += aᵀ · b with a [depth, rows], b [depth, R registers]; rows a multiple of kTileRows.
template <int R>
void product_of_transposed(const float* a, std::int64_t a_stride, const float* b, std::int64_t b_stride, float* c,
                           std::int64_t c_stride, std::int64_t rows, std::int64_t depth) {
  for (std::int64_t i = 0; i < rows; i += kTileRows)
    tile<kTileRows, R, true, true>(a + i, a_stride, b, b_stride, c + i * c_stride, c_stride, depth);
}

// --- packing

using Four = Pack<float, 4>;
using Eight = Pack<float, 8>;  // what every head width is a multiple of

// n a multiple of 4.
STRATA_INLINE void fill(float* to, std::int64_t n, float value) {
  for (std::int64_t i = 0; i < n; i += 4) store_same(to + i, splat<Four>(value));
}

// Rows [rows, width] to rows `stride` apart; zeros fill these up, and rows up to `padded_rows`. width and stride are
// multiples of 8.
template <class T>
STRATA_INLINE void pack_rows(const T* from, std::int64_t from_stride, std::int64_t rows, std::int64_t width, float* to,
                             std::int64_t stride, std::int64_t padded_rows) {
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t c = 0; c < width; c += 8)
      store_same(to + i * stride + c, load_as<Eight>(from + i * from_stride + c));
    fill(to + i * stride + width, stride - width, 0.0f);
  }
  fill(to + rows * stride, (padded_rows - rows) * stride, 0.0f);
}

template <class T>
STRATA_INLINE void unpack_rows(const float* from, std::int64_t stride, std::int64_t rows, std::int64_t width,
                               float factor, T* to, std::int64_t to_stride) {
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t c = 0; c < width; c += 8)
      store_as(to + i * to_stride + c, load_same<Eight>(from + i * stride + c) * splat<Eight>(factor));
}

STRATA_INLINE float load_one(const float* from) { return *from; }
STRATA_INLINE float load_one(const std::uint16_t* from) {
  return __builtin_bit_cast(float, static_cast<std::uint32_t>(*from) << 16);
}
STRATA_INLINE void store_one(float* to, float value) { *to = value; }
STRATA_INLINE void store_one(std::uint16_t* to, float value) {
  std::uint16_t four[4];
  store(four, splat<Four>(value));
  *to = four[0];
}

// A square of 4 × 4, transposed and scaled.
template <class From, class To>
STRATA_INLINE void transpose_square(const From* from, std::int64_t from_stride, Four factor, To* to,
                                    std::int64_t to_stride) {
  const auto a = load_as<Four>(from).v, b = load_as<Four>(from + from_stride).v;
  const auto c = load_as<Four>(from + 2 * from_stride).v, d = load_as<Four>(from + 3 * from_stride).v;
  const auto ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const auto cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store_as(to, Four{__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5)} * factor);
  store_as(to + to_stride, Four{__builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7)} * factor);
  store_as(to + 2 * to_stride, Four{__builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5)} * factor);
  store_as(to + 3 * to_stride, Four{__builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)} * factor);
}

// to [columns, rows] = factor · fromᵀ with from [rows, columns].
template <class From, class To>
STRATA_INLINE void transpose(const From* from, std::int64_t from_stride, std::int64_t rows, std::int64_t columns,
                             float factor, To* to, std::int64_t to_stride) {
  const auto square = splat<Four>(factor);
  const std::int64_t whole_rows = rows & ~std::int64_t{3}, whole_columns = columns & ~std::int64_t{3};
  for (std::int64_t i = 0; i < whole_rows; i += 4)
    for (std::int64_t c = 0; c < whole_columns; c += 4)
      transpose_square(from + i * from_stride + c, from_stride, square, to + c * to_stride + i, to_stride);
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t c = i < whole_rows ? whole_columns : 0; c < columns; ++c) {
      store_one(to + c * to_stride + i, factor * load_one(from + i * from_stride + c));
    }
}

}  // namespace
}  // namespace strata::cpu::STRATA_ISA
