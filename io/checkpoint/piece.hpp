// SPDX-License-Identifier: Apache-2.0
//
// Which elements of a global tensor an entry of a state holds, without names: a box, of which maybe only a row-major
// range. Axes that are whole are folded into their neighbours, so equal sets of elements are equal pieces in all cases
// that occur (a whole tensor is one axis).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "strata/comm/pack.hpp"
#include "strata/io/state_dict.hpp"

namespace strata::io {

class Piece {
 public:
  Piece() = default;
  // Usage error when the entry's placement, range, shape and memory do not fit each other.
  explicit Piece(const StateEntry& entry);

  std::int64_t numel() const { return end_ - begin_; }

  // Calls f(global, local, count) for each run of elements that lies within [first, last) of the global tensor, and in
  // order: `global` is its row-major number there, `local` its place in the entry's memory.
  template <class F>
  void runs(std::int64_t first, std::int64_t last, const F& f) const {
    walk(first, last, [&](std::int64_t global, std::int64_t local, std::int64_t count) {
      f(global, local, count);
      return true;
    });
  }

  // Does it hold any element of [first, last)?
  bool meets(std::int64_t first, std::int64_t last) const {
    bool met = false;
    walk(first, last, [&](std::int64_t, std::int64_t, std::int64_t) {
      met = true;
      return false;
    });
    return met;
  }

  void pack(comm::Packer& packer) const;
  static Piece unpack(comm::Unpacker& from);
  bool operator==(const Piece&) const = default;

 private:
  struct Axis {
    std::int64_t size = 0, begin = 0, extent = 0;
    bool operator==(const Axis&) const = default;
  };

  template <class F>
  void walk(std::int64_t first, std::int64_t last, const F& f) const;  // until f says no
  void fold(const Axis& next);
  std::int64_t start_of_row(std::int64_t row) const;  // its first element in the global tensor

  std::vector<Axis> axes_;            // outermost first; one at least, unless nothing is held
  std::int64_t begin_ = 0, end_ = 0;  // of the box's elements
};

template <class F>
void Piece::walk(std::int64_t first, std::int64_t last, const F& f) const {
  if (begin_ == end_) return;
  const std::int64_t length = axes_.back().extent;
  std::int64_t row = begin_ / length, rows = (end_ + length - 1) / length;
  for (std::int64_t high = rows; row < high;) {  // rows ascend in the global tensor: find the first that reaches it
    const std::int64_t middle = row + (high - row) / 2;
    if (start_of_row(middle) + length > first) {
      high = middle;
    } else {
      row = middle + 1;
    }
  }
  for (; row < rows; ++row) {
    const std::int64_t start = start_of_row(row), shift = start - row * length;  // from box to global
    if (start >= last) return;
    const std::int64_t from = std::max({start, first, begin_ + shift});
    const std::int64_t to = std::min({start + length, last, end_ + shift});
    if (from < to && !f(from, from - shift - begin_, to - from)) return;
  }
}

}  // namespace strata::io
