// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/concat.hpp"

#include "backends/cuda/launch.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"

namespace strata::cuda {
namespace {

// P: a pack, or an unsigned integer of an element's size. `walk` counts in these and has an axis.
template <class P>
__global__ void copy_packs(const P* from, P* to, Walk walk) {
  for (std::int64_t i = first_item(); i < walk.numel; i += all_items()) {
    std::int64_t rest = i, at_from = 0, at_to = 0;
    for (int axis = walk.axes - 1; axis > 0; --axis) {
      const std::int64_t index = rest % walk.extents[axis];
      rest /= walk.extents[axis];
      at_from += index * walk.from[axis];
      at_to += index * walk.to[axis];
    }
    to[at_to + rest * walk.to[0]] = from[at_from + rest * walk.from[0]];
  }
}

// Elements that lie side by side in both views, at most 16 bytes of them, on their alignment.
int pack_of(const Walk& walk, const Tensor& from, const Tensor& to) {
  const auto last = static_cast<std::size_t>(walk.axes - 1);
  if (walk.from[last] != 1 || walk.to[last] != 1) return 1;
  const auto fits = [&](int width) {
    const auto bytes = static_cast<std::uintptr_t>(width) * size_of(to.dtype());
    bool good = walk.extents[last] % width == 0 && reinterpret_cast<std::uintptr_t>(from.raw()) % bytes == 0 &&
                reinterpret_cast<std::uintptr_t>(to.raw()) % bytes == 0;
    for (std::size_t axis = 0; axis < last; ++axis)
      good = good && walk.from[axis] % width == 0 && walk.to[axis] % width == 0;
    return good;
  };
  int width = static_cast<int>(16 / size_of(to.dtype()));
  while (!fits(width)) width /= 2;
  return width;
}

Walk in_packs(Walk walk, int width) {
  const auto last = static_cast<std::size_t>(walk.axes - 1);
  walk.numel /= width;
  walk.extents[last] /= width;
  for (std::size_t axis = 0; axis < last; ++axis) {
    walk.from[axis] /= width;
    walk.to[axis] /= width;
  }
  return walk;
}

template <class F>
void with_bytes(std::size_t bytes, F&& f) {
  switch (bytes) {
    case 1: return f(std::uint8_t{});
    case 2: return f(std::uint16_t{});
    case 4: return f(std::uint32_t{});
    case 8: return f(std::uint64_t{});
    default: return f(Pack<std::uint32_t, 4>{});
  }
}

void copy_view(const Tensor& from, const Tensor& to, Context& ctx) {
  if (to.numel() == 0) return;
  const Walk walk = walk_of(from, to);
  if (walk.axes == 0 || (walk.axes == 1 && walk.from[0] == 1 && walk.to[0] == 1))
    return check(cudaMemcpyAsync(to.raw(), from.raw(), to.bytes(), cudaMemcpyDeviceToDevice, stream_of(ctx)), "concat");
  const int width = pack_of(walk, from, to);
  const Walk packs = in_packs(walk, width);
  with_bytes(static_cast<std::size_t>(width) * size_of(to.dtype()), [&]<class P>(P) {
    launch("copy_packs", copy_packs<P>, over(packs.numel), ctx, pointer<P>(from), pointer<P>(to), packs);
  });
}

void concat(const ops::Concat& op, Inputs in, Outputs out, Context& ctx) {
  std::int64_t begin = 0;
  for (const auto& part : in) {
    const std::int64_t end = begin + part.dim(op.axis);
    copy_view(part, out[0].slice(op.axis, begin, end), ctx);
    begin = end;
  }
}

}  // namespace

void register_concat(KernelTable& table) { table.add<ops::Concat>("cuda", concat, serves::anything); }

}  // namespace strata::cuda
