// SPDX-License-Identifier: Apache-2.0
//
// Launch shapes, as functions of sizes alone: tested without a device.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "strata/tensor/tensor.hpp"

namespace strata::cuda {

struct Launch {
  unsigned blocks = 0, threads = 0;
  unsigned rows = 1;       // of blocks: the grid's y
  std::size_t shared = 0;  // bytes of dynamic shared memory a block
  bool operator==(const Launch&) const = default;
};

inline constexpr unsigned kThreads = 256;
// Grids that step through their items: so many times what a device holds at once that its last turn, which does not
// fill it, is a small part of the whole; few enough to be cheap.
inline constexpr std::int64_t kMostBlocks = 132 * 128;

// `items` > 0 threads' worth of work.
inline Launch over(std::int64_t items) {
  return {.blocks = static_cast<unsigned>(std::clamp<std::int64_t>((items + kThreads - 1) / kThreads, 1, kMostBlocks)),
          .threads = kThreads};
}

// Items that each are a load of a thread, U of them a thread, all at once: a block a tile of kThreads · U (tiles.cuh).
template <int U>
Launch over_tiles(std::int64_t items) {
  constexpr std::int64_t kTile = std::int64_t{U} * kThreads;
  return {.blocks = static_cast<unsigned>((items + kTile - 1) / kTile), .threads = kThreads};
}

// Division by a number that is known before the kernel starts: a product and a shift, where a division of 64 bits takes
// a device some forty instructions. Of n and by below half of N's range, by > 0; factor = ceil(2^(bits + shift) / by).
template <class N>
struct Divisor {
  static constexpr unsigned kBits = 8 * sizeof(N) - 1;
  __extension__ using Wide = std::conditional_t<sizeof(N) == 4, std::uint64_t, unsigned __int128>;
  N by = 1, factor = N{1} << kBits;
  unsigned shift = 0;

  Divisor() = default;
  explicit Divisor(std::int64_t number)
      : by(static_cast<N>(number)), factor(1), shift(static_cast<unsigned>(std::bit_width(by - 1))) {
    N rest = (N{1} << shift) - by;
    for (unsigned bit = 0; bit < kBits; ++bit) {
      rest *= 2;
      factor = 2 * factor + (rest >= by);
      if (rest >= by) rest -= by;
    }
    factor += rest > 0;
  }
  constexpr N quotient(N n) const { return static_cast<N>(Wide{2 * n} * factor >> (kBits + 1)) >> shift; }
};

// Elements that one thread moves at a time: 16 bytes of the widest type, where all pointers lie on 16 bytes and all
// lengths are multiples; else 1.
struct Operand {
  const void* data = nullptr;
  std::int64_t length = 0;
  std::size_t element = 4;
};
template <std::size_t N>
int pack_width(const std::array<Operand, N>& operands) {
  std::size_t widest = 1;
  for (const auto& operand : operands) widest = std::max(widest, operand.element);
  const auto width = static_cast<int>(16 / widest);
  for (const auto& operand : operands)
    if (reinterpret_cast<std::uintptr_t>(operand.data) % (operand.element * static_cast<std::size_t>(width)) != 0 ||
        operand.length % width != 0)
      return 1;
  return width;
}

// A pair of views of one shape with as few axes as they have together, outermost first: axes that follow each other in
// both are one, those of extent 1 are none.
struct Walk {
  int axes = 0;
  std::array<std::int64_t, kMaxDims> extents{}, from{}, to{};  // strides in elements
  std::int64_t numel = 1;
};
Walk walk_of(const Tensor& from, const Tensor& to);

// The same in packs of the most elements, 16 bytes at most, that lie side by side in both views on their alignment.
struct PackedWalk {
  int width = 1;  // elements a pack
  Walk walk;      // counts packs
};
PackedWalk packed_walk_of(const Tensor& from, const Tensor& to);

// Whether both views are one run of memory.
inline bool is_run(const Walk& walk) {
  return walk.axes == 0 || (walk.axes == 1 && walk.from[0] == 1 && walk.to[0] == 1);
}

// A walk as kernels take it: where item i lies in both views.
struct Path {
  std::array<Divisor<std::uint64_t>, kMaxDims> extents{};
  std::array<std::int64_t, kMaxDims> from{}, to{};
  int axes = 0;
  explicit Path(const Walk& walk);
  struct Place {
    std::int64_t from = 0, to = 0;
  };
  constexpr Place place(std::int64_t i) const {
    auto rest = static_cast<std::uint64_t>(i);
    Place at;
    for (int axis = axes - 1; axis >= 0; --axis) {
      const auto a = static_cast<std::size_t>(axis);
      const std::uint64_t outer = axis > 0 ? extents[a].quotient(rest) : 0;
      const auto index = static_cast<std::int64_t>(rest - outer * extents[a].by);
      at.from += index * from[a];
      at.to += index * to[a];
      rest = outer;
    }
    return at;
  }
};

}  // namespace strata::cuda
