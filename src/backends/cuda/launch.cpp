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

}  // namespace strata::cuda
