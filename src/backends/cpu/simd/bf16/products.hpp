// SPDX-License-Identifier: Apache-2.0
//
// The one product that bf16 attention is made of,
//   c f32 [rows, columns] = or += a · b,   a [rows, pairs], b [pairs, columns],
// where a pair is two neighbours along the depth: a is bf16 rows as they lie in memory, b has rows 2k and 2k + 1 of a
// bf16 matrix interleaved. A unit says how: Registers by AVX-512's dot products of pairs, Tiles<T> by tiles, where T is
// the eight tile registers of AMX (tiles.hpp) or, in a test, plain arrays in their place. For simd/bf16 only; nothing
// here is blocked for caches, callers are.
//
// A unit wants extents padded: rows to kRows, pairs to kPairs, columns to 16. Padding of a and b along the depth must
// be zero; what padded rows of a hold does not matter.
#pragma once

#include "backends/cpu/simd/products.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

using Pair = std::uint32_t;  // two bf16, the first in the low half

struct ConstPairs {
  const Pair* data;
  std::int64_t stride;  // pairs
};
struct Sums {
  float* data;
  std::int64_t stride;
};
struct Extent {
  std::int64_t rows, columns, pairs;
};

#ifdef __AVX512BF16__
struct Registers {
  static constexpr std::int64_t kRows = kTileRows, kPairs = 1;
  struct Session {};  // what a thread needs around products: nothing

  template <bool Add>
  static void product(ConstPairs a, ConstPairs b, Sums c, const Extent& extent) {
    const Blocks blocks = blocks_of(extent.columns);
    for (std::int64_t i = 0; i < blocks.count; ++i) {
      const std::int64_t at = begin_of(blocks, i);
      with_registers(
          blocks, i, [&](auto r) __attribute__((always_inline)) {
            for (std::int64_t row = 0; row < extent.rows; row += kTileRows)
              tile<r, Add>({a.data + row * a.stride, a.stride}, {b.data + at, b.stride},
                           {c.data + row * c.stride + at, c.stride}, extent.pairs);
          });
    }
  }

 private:
  // kTileRows rows of R registers.
  template <int R, bool Add>
  STRATA_INLINE static void tile(ConstPairs a, ConstPairs b, Sums c, std::int64_t pairs) {
    __m512 sum[std::size_t{kTileRows}][std::size_t{R}];
    unrolled<0, kTileRows>([&](auto i) __attribute__((always_inline)) {
      unrolled<0, R>([&](auto r) __attribute__((always_inline)) {
        sum[i][r] = Add ? load_lane(c.data + i * c.stride + r * kWidth).v : _mm512_setzero_ps();
      });
    });
    for (std::int64_t k = 0; k < pairs; ++k) {
      __m512i right[std::size_t{R}];
      unrolled<0, R>([&](auto r) __attribute__((always_inline)) {
        right[r] = _mm512_loadu_si512(b.data + k * b.stride + r * kWidth);
      });
      unrolled<0, kTileRows>([&](auto i) __attribute__((always_inline)) {
        const __m512i left = _mm512_set1_epi32(static_cast<int>(a.data[i * a.stride + k]));
        unrolled<0, R>([&](auto r) __attribute__((always_inline)) {
          sum[i][r] =
              _mm512_dpbf16_ps(sum[i][r], reinterpret_cast<__m512bh>(left), reinterpret_cast<__m512bh>(right[r]));
        });
      });
    }
    unrolled<0, kTileRows>([&](auto i) __attribute__((always_inline)) {
      unrolled<0, R>([&](auto r) __attribute__((always_inline)) {
        store_same(c.data + i * c.stride + r * kWidth, Lane{sum[i][r]});
      });
    });
  }
};
#endif

// Blocks of 2 × 2 tiles of sums, so that each operand that is loaded is used twice; one row or column of tiles at
// ragged ends. T has eight tiles of 16 rows of 64 bytes, and
//   T::Session             around all products of a thread
//   load<tile>, store<tile>(memory, bytes from row to row), zero<tile>()
//   dot<c, a, b>()         c f32 [16, 16] += a bf16 [16, 32] · b [16 pairs, 16]
// Tiles 0 to 3 hold sums, 4 and 5 parts of a, 6 and 7 of b.
template <class T>
struct Tiles {
  static constexpr std::int64_t kRows = 16, kPairs = 16, kColumns = 16;
  using Session = typename T::Session;

  template <bool Add>
  static void product(ConstPairs a, ConstPairs b, Sums c, const Extent& extent) {
    T tiles;
    for (std::int64_t j = 0; j < extent.columns; j += 2 * kColumns)
      for (std::int64_t i = 0; i < extent.rows; i += 2 * kRows) {
        const ConstPairs left{a.data + i * a.stride, a.stride}, right{b.data + j, b.stride};
        const Sums sums{c.data + i * c.stride + j, c.stride};
        const bool tall = extent.rows - i > kRows, wide = extent.columns - j > kColumns;
        if (tall && wide)
          block<2, 2, Add>(tiles, left, right, sums, extent.pairs);
        else if (tall)
          block<2, 1, Add>(tiles, left, right, sums, extent.pairs);
        else if (wide)
          block<1, 2, Add>(tiles, left, right, sums, extent.pairs);
        else
          block<1, 1, Add>(tiles, left, right, sums, extent.pairs);
      }
  }

 private:
  template <int M, int N, bool Add>
  static void block(T& tiles, ConstPairs a, ConstPairs b, Sums c, std::int64_t pairs) {
    constexpr std::int64_t word = sizeof(Pair);
    const auto each_sum = [&](const auto& f) __attribute__((always_inline)) {
      unrolled<0, M>([&](auto i) __attribute__((always_inline)) {
        unrolled<0, N>([&](auto j) __attribute__((always_inline)) { f(i, j); });
      });
    };
    each_sum([&](auto i, auto j) __attribute__((always_inline)) {
      if constexpr (Add)
        tiles.template load<2 * i + j>(c.data + i * kRows * c.stride + j * kColumns, c.stride * word);
      else
        tiles.template zero<2 * i + j>();
    });
    for (std::int64_t k = 0; k < pairs; k += kPairs) {
      unrolled<0, M>([&](auto i) __attribute__((always_inline)) {
        tiles.template load<4 + i>(a.data + i * kRows * a.stride + k, a.stride * word);
      });
      unrolled<0, N>([&](auto j) __attribute__((always_inline)) {
        tiles.template load<6 + j>(b.data + k * b.stride + j * kColumns, b.stride * word);
      });
      each_sum([&](auto i, auto j) __attribute__((always_inline)) { tiles.template dot<2 * i + j, 4 + i, 6 + j>(); });
    }
    each_sum([&](auto i, auto j) __attribute__((always_inline)) {
      tiles.template store<2 * i + j>(c.data + i * kRows * c.stride + j * kColumns, c.stride * word);
    });
  }
};

}  // namespace
}  // namespace strata::cpu::STRATA_ISA
