// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/launch.hpp"

namespace strata::cuda {

Walk walk_of(const Tensor& from, const Tensor& to) {
  Walk walk;
  walk.numel = to.numel();
  for (int axis = 0; axis < to.ndim(); ++axis) {
    const std::int64_t extent = to.dim(axis);
    if (extent == 1) continue;
    if (walk.axes > 0) {
      const auto last = static_cast<std::size_t>(walk.axes - 1);
      if (walk.from[last] == extent * from.stride(axis) && walk.to[last] == extent * to.stride(axis)) {
        walk.extents[last] *= extent;
        walk.from[last] = from.stride(axis);
        walk.to[last] = to.stride(axis);
        continue;
      }
    }
    const auto at = static_cast<std::size_t>(walk.axes++);
    walk.extents[at] = extent;
    walk.from[at] = from.stride(axis);
    walk.to[at] = to.stride(axis);
  }
  return walk;
}

PackedWalk packed_walk_of(const Tensor& from, const Tensor& to) {
  PackedWalk packed{1, walk_of(from, to)};
  Walk& walk = packed.walk;
  if (walk.axes == 0) return packed;
  const auto last = static_cast<std::size_t>(walk.axes - 1);
  if (walk.from[last] != 1 || walk.to[last] != 1) return packed;
  const auto fits = [&](int width) {
    const auto bytes = static_cast<std::uintptr_t>(width) * size_of(to.dtype());
    bool good = walk.extents[last] % width == 0 && reinterpret_cast<std::uintptr_t>(from.raw()) % bytes == 0 &&
                reinterpret_cast<std::uintptr_t>(to.raw()) % bytes == 0;
    for (std::size_t axis = 0; axis < last; ++axis)
      good = good && walk.from[axis] % width == 0 && walk.to[axis] % width == 0;
    return good;
  };
  packed.width = static_cast<int>(16 / size_of(to.dtype()));
  while (!fits(packed.width)) packed.width /= 2;
  walk.numel /= packed.width;
  walk.extents[last] /= packed.width;
  for (std::size_t axis = 0; axis < last; ++axis) {
    walk.from[axis] /= packed.width;
    walk.to[axis] /= packed.width;
  }
  return packed;
}

Path::Path(const Walk& walk) : from(walk.from), to(walk.to), axes(walk.axes) {
  for (std::size_t axis = 0; axis < static_cast<std::size_t>(axes); ++axis)
    extents[axis] = Divisor<std::uint64_t>(walk.extents[axis]);
}

}  // namespace strata::cuda
