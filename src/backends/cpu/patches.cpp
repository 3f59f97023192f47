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

template <class T, class Y>
void unfold(void (*kernel)(const T*, Y*, std::int64_t, float, float), const ops::PatchUnfold& op, Inputs in,
            Outputs out, const Context& ctx) {
  const Patches patches(op.kName, in, in[0].shape(), op.geometry);
  const T* volume = memory<T>(in[0]);
  Y* to = memory<Y>(out[0]);
  parallel_for(ctx, patches.count(), rows_a_chunk(patches.width()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      patches.for_each_run(row, [&](std::int64_t element, std::int64_t voxel) {
        kernel(volume + voxel, to + element, patches.run(), static_cast<float>(op.scale), static_cast<float>(op.shift));
      });
  });
}

template <class Y>
void unfold_to(const AffineSimd<Y>& kernels, const ops::PatchUnfold& op, Inputs in, Outputs out, const Context& ctx) {
  switch (in[0].dtype()) {
    case DType::u8: return unfold(kernels.u8, op, in, out, ctx);
    case DType::i16: return unfold(kernels.i16, op, in, out, ctx);
    case DType::bf16: return unfold(kernels.bf16, op, in, out, ctx);
    default: return unfold(kernels.f32, op, in, out, ctx);
  }
}

void patch_unfold(const ops::PatchUnfold& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  if (op.to == DType::bf16) return unfold_to(kernels.affine_to_bf16, op, in, out, ctx);
  unfold_to(kernels.affine_to_f32, op, in, out, ctx);
}

// Every voxel comes from one patch at most: written once, and zero where no patch lies.
template <class T>
void fold_once(const Patches& patches, const ops::PatchFold& op, const T* from, T* volume, const Context& ctx) {
  const auto& kernels = arithmetic<T>(simd(ctx, elementwise_simd));
  if (!patches.covers_volume())
    parallel_for(ctx, op.shape.numel(), kChunk,
                 [&](std::int64_t begin, std::int64_t end) { std::fill(volume + begin, volume + end, T{}); });
  const auto factor = static_cast<float>(op.scale);
  parallel_for(ctx, patches.count(), rows_a_chunk(patches.width()), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      patches.for_each_run(row, [&](std::int64_t element, std::int64_t voxel) {
        kernels.scale(from + element, factor, volume + voxel, patches.run());
      });
  });
}

// Patches named twice are summed, in float and by one thread.
template <class T>
void fold_sum(const Patches& patches, const ops::PatchFold& op, const T* from, float* volume, const Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  kernels.fill(volume, 0.0f, op.shape.numel());
  for (std::int64_t row = 0; row < patches.count(); ++row)
    patches.for_each_run(row, [&](std::int64_t element, std::int64_t voxel) {
      const auto factor = static_cast<float>(op.scale);
      if constexpr (sizeof(T) == 4)
        kernels.axpy(from + element, factor, volume + voxel, patches.run());
      else
        kernels.axpy_bf16(from + element, factor, volume + voxel, patches.run());
    });
}

template <class T>
void patch_fold(const ops::PatchFold& op, Inputs in, Outputs out, Context& ctx) {
  const Patches patches(op.kName, in, op.shape, op.geometry);
  const T* from = memory<T>(in[0]);
  if (!patches.repeats()) return fold_once(patches, op, from, memory<T>(out[0]), ctx);
  if constexpr (sizeof(T) == 4) {
    fold_sum(patches, op, from, memory<float>(out[0]), ctx);
  } else {
    const Tensor wide = ctx.empty(DType::f32, op.shape);
    fold_sum(patches, op, from, memory<float>(wide), ctx);
    simd(ctx, elementwise_simd).narrow(memory<float>(wide), memory<T>(out[0]), op.shape.numel());
  }
}

bool serves_unfold(const ops::PatchUnfold& op, Specs inputs) {
  return op.to != DType::f64 && inputs[0].dtype != DType::f64;
}

}  // namespace

void add_patches(KernelTable& table) {
  table.add<ops::PatchUnfold>("vector", patch_unfold, serves_unfold);
  add_rows<ops::PatchFold>(table, patch_fold<float>, patch_fold<std::uint16_t>);
}

}  // namespace strata::cpu
