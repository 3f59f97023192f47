// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/piece.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

[[noreturn]] void refuse(const StateEntry& entry, const std::string& what) {
  fail(ErrorKind::usage, "checkpoint", fmt::format("{}: {}", printable(entry.name), what));
}

void check_box(const StateEntry& entry, const Placement& box) {
  const bool sizes = box.begin.size() == box.axes.size() && box.extent.size() == box.axes.size();
  if (!sizes) refuse(entry, "its placement has another number of begins or extents than axes");
  for (std::size_t i = 0; i < box.axes.size(); ++i)
    if (box.begin[i] < 0 || box.extent[i] < 0 || box.begin[i] > box.axes[i].size - box.extent[i])
      refuse(entry, fmt::format("[{}, {}) is no part of axis '{}' of {}", box.begin[i], box.begin[i] + box.extent[i],
                                box.axes[i].name, box.axes[i].size));
}

}  // namespace

Piece::Piece(const StateEntry& entry) {
  const Shape& global = entry.global ? *entry.global : entry.value.shape();
  Placement box = Placement::whole({{"all", global.numel()}});
  if (entry.placement && !entry.placement->is_whole()) {
    if (!entry.global) refuse(entry, "a part of a tensor needs the shape of the whole");
    box = *entry.placement;
  }
  check_box(entry, box);
  std::int64_t elements = 1;
  for (const auto& axis : box.axes) elements *= axis.size;
  if (elements != global.numel())
    refuse(entry,
           fmt::format("its axes hold {} elements, its shape {} holds {}", elements, global.str(), global.numel()));
  begin_ = entry.begin;
  end_ = entry.end < 0 ? box.numel() : entry.end;
  if (begin_ < 0 || begin_ > end_ || end_ > box.numel() || end_ - begin_ != entry.value.numel())
    refuse(entry, fmt::format("{} elements cannot be [{}, {}) of a box of {}", entry.value.numel(), begin_, end_,
                              box.numel()));
  if (begin_ == end_) {
    begin_ = end_ = 0;
    return;
  }
  for (std::size_t i = 0; i < box.axes.size(); ++i) fold({box.axes[i].size, box.begin[i], box.extent[i]});
  if (axes_.empty()) axes_.push_back({1, 0, 1});
  if (axes_.size() > 1) return;
  axes_[0].begin += begin_;  // a range of one axis is a box
  axes_[0].extent = end_ - begin_;
  end_ -= begin_;
  begin_ = 0;
}

// Rows of one element, and whole axes below, make one longer axis of two.
void Piece::fold(const Axis& next) {
  if (next.size == 1) return;
  const bool whole = next.begin == 0 && next.extent == next.size;
  if (axes_.empty() || !(whole || axes_.back().extent == 1)) {
    axes_.push_back(next);
    return;
  }
  Axis& last = axes_.back();
  last = {last.size * next.size, last.begin * next.size + next.begin, whole ? last.extent * next.size : next.extent};
}

std::int64_t Piece::start_of_row(std::int64_t row) const {
  std::int64_t start = axes_.back().begin, stride = axes_.back().size;
  for (std::size_t i = axes_.size() - 1; i-- > 0;) {
    const Axis& axis = axes_[i];
    start += (axis.begin + row % axis.extent) * stride;
    row /= axis.extent;
    stride *= axis.size;
  }
  return start;
}

void Piece::pack(comm::Packer& packer) const {
  packer.put(axes_);
  packer.put(begin_);
  packer.put(end_);
}

Piece Piece::unpack(comm::Unpacker& from) {
  Piece piece;
  piece.axes_ = from.get<std::vector<Axis>>();
  piece.begin_ = from.get<std::int64_t>();
  piece.end_ = from.get<std::int64_t>();
  return piece;
}

}  // namespace strata::io
