// SPDX-License-Identifier: Apache-2.0
//
// Rows of bf16 as the operands of products.hpp. `from` has rows [rows, width] with width a multiple of 8; everything up
// to the padded extents is written, zero where there is no row. Not for large matrices: each call walks its memory
// once, in small squares.
#pragma once

#include "backends/cpu/simd/bf16/products.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

struct ConstHalves {
  const std::uint16_t* data;
  std::int64_t stride, rows, width;
};
struct Pairs {
  Pair* data;
  std::int64_t stride;
  operator ConstPairs() const { return {data, stride}; }
};

using EightHalves = Pack<std::uint16_t, 8>;
using FourPairs = Pack<std::uint32_t, 4>;

STRATA_INLINE EightHalves eight_of(const ConstHalves& from, std::int64_t row, std::int64_t column) {
  return row < from.rows ? load_same<EightHalves>(from.data + row * from.stride + column) : EightHalves{};
}

// Rows lie far apart, where the processor does not look ahead by itself: some of the next rows, and of this row the
// columns of the next head, which the same thread mostly takes next. Memory that does not exist does no harm.
STRATA_INLINE void look_ahead(const ConstHalves& from, std::int64_t row) {
  constexpr std::int64_t rows = 24, line = 32;
  for (std::int64_t c = 0; c < from.width; c += line) {
    __builtin_prefetch(from.data + (row + rows) * from.stride + c);
    __builtin_prefetch(from.data + row * from.stride + from.width + c, 0, 2);
  }
}

STRATA_INLINE FourPairs as_pairs(EightHalves a) { return {reinterpret_cast<FourPairs::Vector>(a.v)}; }

STRATA_INLINE void fill_pairs(Pair* to, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = 0;
}

// [rows, width / 2], as they are.
STRATA_INLINE void copy_rows(const ConstHalves& from, Pairs to, std::int64_t padded_rows) {
  for (std::int64_t i = 0; i < padded_rows; ++i) {
    look_ahead(from, i);
    for (std::int64_t c = 0; c < from.width; c += 8) store_same(to.data + i * to.stride + c / 2, eight_of(from, i, c));
    fill_pairs(to.data + i * to.stride + from.width / 2, to.stride - from.width / 2);
  }
}

// [rows / 2, width]: neighbouring rows interleaved. padded_rows is even.
STRATA_INLINE void interleave_rows(const ConstHalves& from, Pairs to, std::int64_t padded_rows) {
  for (std::int64_t i = 0; i < padded_rows; i += 2) {
    Pair* row = to.data + i / 2 * to.stride;
    for (std::int64_t c = 0; c < from.width; c += 8) {
      const auto even = convert<std::uint32_t>(eight_of(from, i, c));
      const auto odd = convert<std::uint32_t>(eight_of(from, i + 1, c));
      store_same(row + c, even | shift_left<16>(odd));
    }
    fill_pairs(row + from.width, to.stride - from.width);
  }
}

// Four rows of four pairs, transposed.
STRATA_INLINE void transpose_pairs(FourPairs a, FourPairs b, FourPairs c, FourPairs d, Pairs to) {
  const auto ab_low = __builtin_shufflevector(a.v, b.v, 0, 4, 1, 5);
  const auto ab_high = __builtin_shufflevector(a.v, b.v, 2, 6, 3, 7);
  const auto cd_low = __builtin_shufflevector(c.v, d.v, 0, 4, 1, 5);
  const auto cd_high = __builtin_shufflevector(c.v, d.v, 2, 6, 3, 7);
  store_same(to.data, FourPairs{__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5)});
  store_same(to.data + to.stride, FourPairs{__builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7)});
  store_same(to.data + 2 * to.stride, FourPairs{__builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5)});
  store_same(to.data + 3 * to.stride, FourPairs{__builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)});
}

// [width / 2, rows]: pairs of a row's neighbours, transposed. padded_rows is a multiple of 4; `signs` is 0x80008000 to
// negate all, else 0.
STRATA_INLINE void transpose_rows(const ConstHalves& from, Pairs to, std::int64_t padded_rows,
                                  std::int64_t padded_pairs, Pair signs) {
  const auto mask = splat<FourPairs>(signs);
  const auto four = [&](std::int64_t row, std::int64_t column) __attribute__((always_inline)) {
    return as_pairs(eight_of(from, row, column)) ^ mask;
  };
  for (std::int64_t i = 0; i < padded_rows; i += 4) {
    unrolled<0, 4>([&](auto r) __attribute__((always_inline)) { look_ahead(from, i + r); });
    for (std::int64_t c = 0; c < from.width; c += 8)
      transpose_pairs(four(i, c), four(i + 1, c), four(i + 2, c), four(i + 3, c),
                      {to.data + c / 2 * to.stride + i, to.stride});
  }
  for (std::int64_t k = from.width / 2; k < padded_pairs; ++k) fill_pairs(to.data + k * to.stride, padded_rows);
}

// [width, rows / 2]: the transposed matrix. padded_rows is a multiple of 8.
STRATA_INLINE void transpose_all(const ConstHalves& from, Pairs to, std::int64_t padded_rows,
                                 std::int64_t padded_width) {
  for (std::int64_t i = 0; i < padded_rows; i += 8) {
    unrolled<0, 8>([&](auto r) __attribute__((always_inline)) { look_ahead(from, i + r); });
    for (std::int64_t c = 0; c < from.width; c += 8) {
      FourPairs low[4], high[4];
      unrolled<0, 4>([&](auto r) __attribute__((always_inline)) {
        const auto even = eight_of(from, i + 2 * r, c).v, odd = eight_of(from, i + 2 * r + 1, c).v;
        low[r] = as_pairs(EightHalves{__builtin_shufflevector(even, odd, 0, 8, 1, 9, 2, 10, 3, 11)});
        high[r] = as_pairs(EightHalves{__builtin_shufflevector(even, odd, 4, 12, 5, 13, 6, 14, 7, 15)});
      });
      Pair* square = to.data + c * to.stride + i / 2;
      transpose_pairs(low[0], low[1], low[2], low[3], {square, to.stride});
      transpose_pairs(high[0], high[1], high[2], high[3], {square + 4 * to.stride, to.stride});
    }
  }
  for (std::int64_t r = from.width; r < padded_width; ++r) fill_pairs(to.data + r * to.stride, padded_rows / 2);
}

// Two registers of f32 as bf16.
struct Rounded {
  Words pairs;  // lane by lane, a in the low halves
  Pack<std::uint16_t, kLanes> a, b;
};
STRATA_INLINE Rounded round_both(Floats a, Floats b) {
#ifdef __AVX512BF16__
  using Both = VectorOf<std::uint16_t, 2 * kLanes>::type;
  const auto both = reinterpret_cast<Both>(_mm512_cvtne2ps_pbh(b.v, a.v));
  const auto pairs = __builtin_shufflevector(both, both, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24,
                                             9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  return {{reinterpret_cast<Words::Vector>(pairs)},
          {__builtin_shufflevector(both, both, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)},
          {__builtin_shufflevector(both, both, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31)}};
#else
  const Words low = round_to_bf16(a), high = round_to_bf16(b);
  return {low | shift_left<16>(high), convert<std::uint16_t>(low), convert<std::uint16_t>(high)};
#endif
}

}  // namespace
}  // namespace strata::cpu::STRATA_ISA
