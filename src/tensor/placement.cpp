// SPDX-License-Identifier: Apache-2.0
#include "strata/tensor/placement.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"

namespace strata {

Placement Placement::whole(std::vector<LogicalAxis> axes) {
  Placement placement;
  for (const auto& axis : axes) placement.extent.push_back(axis.size);
  placement.begin.assign(axes.size(), 0);
  placement.axes = std::move(axes);
  return placement;
}

bool Placement::is_whole() const {
  for (std::size_t i = 0; i < axes.size(); ++i)
    if (begin[i] != 0 || extent[i] != axes[i].size) return false;
  return true;
}

std::int64_t Placement::numel() const {
  std::int64_t count = 1;
  for (const auto e : extent) count *= e;
  return count;
}

Placement Placement::shard(const std::string& name, std::int64_t part, std::int64_t parts) const {
  const auto axis = std::ranges::find(axes, name, &LogicalAxis::name);
  STRATA_CHECK(axis != axes.end(), usage, "placement", fmt::format("no logical axis is called '{}'", name));
  const auto i = static_cast<std::size_t>(axis - axes.begin());
  STRATA_CHECK(parts > 0 && part >= 0 && part < parts, usage, "placement",
               fmt::format("part {} of {} does not exist", part, parts));
  STRATA_CHECK(extent[i] % parts == 0, usage, "placement",
               fmt::format("axis '{}' of {} does not divide into {} parts", name, extent[i], parts),
               "choose a group size that divides it");
  Placement result = *this;
  result.extent[i] = extent[i] / parts;
  result.begin[i] = begin[i] + part * result.extent[i];
  return result;
}

Shape Placement::local_shape(const Shape& global) const {
  std::vector<std::int64_t> local;
  std::size_t axis = 0;
  for (const auto dimension : global.extents()) {
    std::int64_t whole = 1, held = 1;
    while (axis < axes.size() && whole < dimension) {
      whole *= axes[axis].size;
      held *= extent[axis++];
    }
    if (dimension == 1 && axis < axes.size() && axes[axis].size == 1) ++axis;
    STRATA_CHECK(whole == dimension, internal, "placement",
                 fmt::format("logical axes do not fold into {}", global.str()));
    local.push_back(held);
  }
  while (axis < axes.size() && axes[axis].size == 1) ++axis;
  STRATA_CHECK(axis == axes.size(), internal, "placement",
               fmt::format("logical axes are left over behind {}", global.str()));
  return Shape(std::span<const std::int64_t>(local));
}

}  // namespace strata
