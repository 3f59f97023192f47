// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/patches.hpp"

#include <algorithm>
#include <vector>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/index.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

// Rows of patches and the runs of `pw` voxels that each is made of.
class Patches {
 public:
  Patches(std::string_view op, Inputs in, const Shape& volume, const ops::PatchGeometry& geometry)
      : volume_(volume), patch_(geometry.patch), grid_(ops::patch_grid(op, volume, geometry)) {
    const std::int64_t all = volume[0] * grid_[0] * grid_[1] * grid_[2];
    only_some_ = in.size() > 1 && in[1].defined();
    if (only_some_) kept_ = load_index(op, in[1], all, "kept");
    count_ = only_some_ ? std::ssize(kept_) : all;
  }

  std::int64_t count() const { return count_; }
  std::int64_t width() const { return volume_[1] * patch_[0] * patch_[1] * patch_[2]; }
  std::int64_t run() const { return patch_[2]; }
  bool covers_volume() const { return !only_some_; }
  bool repeats() const { return std::ranges::adjacent_find(kept_, std::greater_equal<>{}) != kept_.end(); }

  // f(first element of the rows, first voxel of the volume) for each run of row `row`.
  template <class F>
  void for_each_run(std::int64_t row, F f) const {
    const std::int64_t patch = only_some_ ? kept_[static_cast<std::size_t>(row)] : row;
    const auto [gd, gh, gw] = grid_;
    const std::int64_t w = patch % gw * patch_[2], h0 = patch / gw % gh * patch_[1],
                       d0 = patch / (gw * gh) % gd * patch_[0], scan = patch / (gw * gh * gd);
    std::int64_t element = row * width();
    for (std::int64_t c = 0; c < volume_[1]; ++c)
      for (std::int64_t d = d0; d < d0 + patch_[0]; ++d)
        for (std::int64_t h = h0; h < h0 + patch_[1]; ++h, element += patch_[2])
          f(element, (((scan * volume_[1] + c) * volume_[2] + d) * volume_[3] + h) * volume_[4] + w);
  }

 private:
  Shape volume_;
  std::array<std::int64_t, 3> patch_, grid_;
  bool only_some_ = false;
  std::vector<std::int64_t> kept_;
  std::int64_t count_ = 0;
};

template <class T>
using Affine = void (*)(const T*, float*, std::int64_t, float, float);

template <class T>
void unfold(Affine<T> kernel, const ops::PatchUnfold& op, Inputs in, Outputs out, const Context& ctx) {
  const Patches patches(op.kName, in, in[0].shape(), op.geometry);
  const T* volume = memory<T>(in[0]);
  float* to = memory<float>(out[0]);
  parallel_for(ctx, patches.count(), rows_a_chunk(patches.width()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      patches.for_each_run(row, [&](std::int64_t element, std::int64_t voxel) {
        kernel(volume + voxel, to + element, patches.run(), static_cast<float>(op.scale), static_cast<float>(op.shift));
      });
  });
}

void patch_unfold(const ops::PatchUnfold& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  switch (in[0].dtype()) {
    case DType::u8: return unfold(kernels.affine_u8, op, in, out, ctx);
    case DType::i16: return unfold(kernels.affine_i16, op, in, out, ctx);
    default: return unfold(kernels.affine_f32, op, in, out, ctx);
  }
}

void patch_fold(const ops::PatchFold& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  const Patches patches(op.kName, in, op.shape, op.geometry);
  const float* from = memory<float>(in[0]);
  float* volume = memory<float>(out[0]);
  if (!patches.covers_volume())
    parallel_for(ctx, op.shape.numel(), kChunk,
                 [&](std::int64_t begin, std::int64_t end) { kernels.fill(volume + begin, 0.0f, end - begin); });
  // A patch named twice is summed, by one thread.
  const std::int64_t grain = patches.repeats() ? patches.count() : rows_a_chunk(patches.width());
  const auto factor = static_cast<float>(op.scale);
  parallel_for(ctx, patches.count(), grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      patches.for_each_run(row, [&](std::int64_t element, std::int64_t voxel) {
        if (patches.covers_volume())
          kernels.f32.scale(from + element, factor, volume + voxel, patches.run());
        else
          kernels.axpy(from + element, factor, volume + voxel, patches.run());
      });
  });
}

bool serves_unfold(const ops::PatchUnfold& op, Specs inputs) {
  const DType from = inputs[0].dtype;
  return op.to == DType::f32 && (from == DType::f32 || from == DType::u8 || from == DType::i16);
}

}  // namespace

void add_patches(KernelTable& table) {
  table.add<ops::PatchUnfold>("vector f32", patch_unfold, serves_unfold);
  table.add<ops::PatchFold>("vector f32", patch_fold, serves::f32);
}

}  // namespace strata::cpu
