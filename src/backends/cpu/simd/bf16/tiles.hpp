// SPDX-License-Identifier: Apache-2.0
//
// The tile registers of AMX, as Tiles<T> of products.hpp wants them. Not yet run on a processor that has them: this
// file is compiled, and everything above it is tested with plain arrays in place of the registers
// (tests/unit/backends/cpu/tiles_test.cpp).
//
// A thread configures the registers before its products and releases them after, because others (oneDNN) have
// configurations of their own, and because the system saves less for a thread whose tiles are released.
#pragma once

#include "backends/cpu/simd/bf16/products.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// What LDTILECFG reads (Intel 64 and IA-32 Architectures Software Developer's Manual, "tile configuration"): palette 1,
// and for each tile the bytes of a row and the number of rows.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);
constexpr TileConfiguration kTileConfiguration;

// GCC's intrinsics do not tell the compiler that they read memory.
STRATA_INLINE void all_stores_are_done() { __asm__ volatile("" ::: "memory"); }

struct AmxTiles {
  struct Session {
    Session() { _tile_loadconfig(&kTileConfiguration); }
    ~Session() { _tile_release(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };

  // The intrinsics take the number of a tile as a literal.
#define STRATA_EACH_TILE(call)   \
  if constexpr (I == 0) {        \
    call(0);                     \
  } else if constexpr (I == 1) { \
    call(1);                     \
  } else if constexpr (I == 2) { \
    call(2);                     \
  } else if constexpr (I == 3) { \
    call(3);                     \
  } else if constexpr (I == 4) { \
    call(4);                     \
  } else if constexpr (I == 5) { \
    call(5);                     \
  } else if constexpr (I == 6) { \
    call(6);                     \
  } else {                       \
    call(7);                     \
  }

  template <int I>
  STRATA_INLINE void zero() const {
#define STRATA_CALL(tile) _tile_zero(tile)
    STRATA_EACH_TILE(STRATA_CALL)
#undef STRATA_CALL
  }
  template <int I>
  STRATA_INLINE void load(const void* from, std::int64_t stride) const {
    all_stores_are_done();
#define STRATA_CALL(tile) _tile_loadd(tile, from, stride)
    STRATA_EACH_TILE(STRATA_CALL)
#undef STRATA_CALL
  }
  template <int I>
  STRATA_INLINE void store(void* to, std::int64_t stride) const {
#define STRATA_CALL(tile) _tile_stored(tile, to, stride)
    STRATA_EACH_TILE(STRATA_CALL)
#undef STRATA_CALL
    all_stores_are_done();
  }
#undef STRATA_EACH_TILE

  template <int C, int A, int B>
  STRATA_INLINE void dot() const {
    static_assert(A == 4 + C / 2 && B == 6 + C % 2);
    if constexpr (C == 0)
      _tile_dpbf16ps(0, 4, 6);
    else if constexpr (C == 1)
      _tile_dpbf16ps(1, 4, 7);
    else if constexpr (C == 2)
      _tile_dpbf16ps(2, 5, 6);
    else
      _tile_dpbf16ps(3, 5, 7);
  }
};

}  // namespace
}  // namespace strata::cpu::STRATA_ISA
