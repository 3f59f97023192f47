// SPDX-License-Identifier: Apache-2.0
//
// Which part of a global tensor a rank holds: a box over the tensor's logical axes. Logical axes are finer than the
// shape (the fused qkv weight [3C, C] has the logical axes 3 × heads × head width × embed), so that a rank's heads are
// one box although they are three slabs of rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "strata/tensor/shape.hpp"

namespace strata {

// Axis names in use: embed, heads, head_width, qkv, mlp, patch, channels, position, prefix, joint, vocab.
struct LogicalAxis {
  std::string name;
  std::int64_t size = 0;
  bool operator==(const LogicalAxis&) const = default;
};

struct Placement {
  std::vector<LogicalAxis> axes;     // of the global tensor
  std::vector<std::int64_t> begin;   // the box's first index an axis
  std::vector<std::int64_t> extent;  // and how many

  static Placement whole(std::vector<LogicalAxis> axes);
  bool is_whole() const;
  std::int64_t numel() const;  // of the box
  // The same tensor, cut along one logical axis into `parts` equal parts; `part` is ours. Sizes that do not divide:
  // usage error naming the axis.
  Placement shard(const std::string& axis, std::int64_t part, std::int64_t parts) const;
  // The box of one part when the logical axes belong to a tensor of this global shape (axes fold into dimensions in
  // order).
  Shape local_shape(const Shape& global) const;
  bool operator==(const Placement&) const = default;
};

}  // namespace strata
