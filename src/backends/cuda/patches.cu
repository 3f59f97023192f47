// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/patches.hpp"

#include <string>

#include "backends/cuda/launch.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"
#include "strata/base/error.hpp"

namespace strata::cuda {
namespace {

// Of a volume [scans, channels, depth, height, width]. Patches and the elements of one are counted in 32 bits, voxels
// in 64.
struct Patches {
  unsigned channels, depth, height, width;
  unsigned pd, ph, pw, gd, gh, gw;
  unsigned count;  // of all scans

  __host__ __device__ unsigned elements() const { return channels * pd * ph * pw; }  // of a patch
  __device__ std::int64_t voxel(unsigned scan, unsigned c, unsigned d, unsigned h, unsigned w) const {
    return ((static_cast<std::int64_t>(scan * channels + c) * depth + d) * height + h) * width + w;
  }
  __device__ std::int64_t first_voxel(unsigned patch) const {
    const unsigned w = patch % gw, h = patch / gw % gh, plane = patch / (gw * gh);
    return voxel(plane / gd, 0, plane % gd * pd, h * ph, w * pw);
  }
  // From the first voxel of a patch to that of its element e.
  __device__ std::int64_t distance(unsigned e) const {
    const unsigned run = e / pw, slab = run / ph;
    return voxel(0, slab / pd, slab % pd, run % ph, e % pw);
  }
};

// rows = volume · scale + shift; a block a row. A row whose patch is not in the volume becomes NaN.
template <class T, class Y, int V, class A>
__global__ void unfold(const T* volume, const std::int32_t* kept, Y* rows, std::int64_t count, Patches patches, A scale,
                       A shift) {
  const unsigned packs = patches.elements() / V;
  for (std::int64_t row = blockIdx.x; row < count; row += gridDim.x) {
    const unsigned patch = static_cast<unsigned>(kept == nullptr ? row : kept[row]);
    const bool inside = patch < patches.count;
    const T* from = volume + (inside ? patches.first_voxel(patch) : 0);
    auto* to = reinterpret_cast<Pack<Y, V>*>(rows) + row * packs;
    for (unsigned i = threadIdx.x; i < packs; i += blockDim.x) {
      Pack<T, V> in{};
      if (inside) in = *reinterpret_cast<const Pack<T, V>*>(from + patches.distance(i * V));
      Pack<Y, V> out;
#pragma unroll
      for (int k = 0; k < V; ++k)
        out.v[k] =
            narrow<Y>(inside ? static_cast<A>(widen(in.v[k])) * scale + shift : std::numeric_limits<A>::quiet_NaN());
      to[i] = out;
    }
  }
}

// First of the ascending `kept` that is no less than `patch`.
__device__ __forceinline__ std::int64_t lower_bound(const std::int32_t* kept, std::int64_t n, unsigned patch) {
  std::int64_t first = 0;
  while (n > 0) {
    const std::int64_t half = n / 2;
    const bool less = static_cast<unsigned>(kept[first + half]) < patch;
    first = less ? first + half + 1 : first;
    n = less ? n - half - 1 : half;
  }
  return first;
}

// Every voxel takes the rows that hold it: those of its patch, in their order. A block steps through one plane.
template <class T, int V>
__global__ void fold(const T* rows, const std::int32_t* kept, T* volume, std::int64_t count, unsigned planes,
                     Patches patches, Accumulation<T> scale) {
  const unsigned line = patches.width / V, packs = patches.height * line;
  for (unsigned plane = blockIdx.x; plane < planes; plane += gridDim.x) {
    const unsigned d = plane % patches.depth, c = plane / patches.depth % patches.channels,
                   scan = plane / patches.depth / patches.channels;
    for (unsigned i = blockIdx.y * blockDim.x + threadIdx.x; i < packs; i += gridDim.y * blockDim.x) {
      const unsigned h = i / line, w = i % line * V;
      const unsigned patch =
          ((scan * patches.gd + d / patches.pd) * patches.gh + h / patches.ph) * patches.gw + w / patches.pw;
      const unsigned e =
          ((c * patches.pd + d % patches.pd) * patches.ph + h % patches.ph) * patches.pw + w % patches.pw;
      std::int64_t row = kept == nullptr ? patch : lower_bound(kept, count, patch);
      Accumulation<T> sum[V] = {};
      for (; row < count && (kept == nullptr ? row == patch : static_cast<unsigned>(kept[row]) == patch); ++row) {
        const auto in = *reinterpret_cast<const Pack<T, V>*>(rows + row * patches.elements() + e);
#pragma unroll
        for (int k = 0; k < V; ++k) sum[k] += widen(in.v[k]);
      }
      Pack<T, V> out;
#pragma unroll
      for (int k = 0; k < V; ++k) out.v[k] = narrow<T>(scale * sum[k]);
      reinterpret_cast<Pack<T, V>*>(volume)[static_cast<std::int64_t>(plane) * packs + i] = out;
    }
  }
}

Patches patches_of(std::string_view op, const Shape& volume, const ops::PatchGeometry& geometry) {
  const auto [gd, gh, gw] = ops::patch_grid(op, volume, geometry);
  const auto [pd, ph, pw] = geometry.patch;
  const std::int64_t count = volume[0] * gd * gh * gw, elements = volume[1] * pd * ph * pw;
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  STRATA_CHECK(
      count <= kMost && elements <= kMost && volume[3] * volume[4] <= kMost &&
          volume[0] * volume[1] * volume[2] <= kMost,
      usage, op,
      std::to_string(count) + " patches of " + std::to_string(elements) + " voxels are too many for this backend");
  const auto small = [](std::int64_t value) { return static_cast<unsigned>(value); };
  return {small(volume[1]), small(volume[2]), small(volume[3]), small(volume[4]), small(pd),   small(ph),
          small(pw),        small(gd),        small(gh),        small(gw),        small(count)};
}

const std::int32_t* kept_of(Inputs in) {
  return in.size() > 1 && in[1].defined() ? pointer<const std::int32_t>(in[1]) : nullptr;
}

// Runs of voxels can be moved V at a time.
bool fits(const Tensor& tensor, std::int64_t run, int width) {
  const auto bytes = static_cast<std::uintptr_t>(width) * size_of(tensor.dtype());
  return run % width == 0 && reinterpret_cast<std::uintptr_t>(tensor.raw()) % bytes == 0;
}

template <class T, class Y>
void unfold_as(const ops::PatchUnfold& op, Inputs in, const Tensor& out, Context& ctx) {
  using A = std::conditional_t<std::is_same_v<T, double>, double, Accumulation<Y>>;
  constexpr int V = 16 / sizeof(Y);
  const Patches patches = patches_of(op.kName, in[0].shape(), op.geometry);
  const std::int64_t run = op.geometry.patch[2], rows = out.dim(0);
  const bool packed = fits(in[0], run, V) && fits(out, run, V);
  const unsigned packs = patches.elements() / static_cast<unsigned>(packed ? V : 1);
  const Launch shape{.blocks = static_cast<unsigned>(std::min(rows, 4 * kMostBlocks)),
                     .threads = std::min(kThreads, (packs + 31) / 32 * 32)};
  launch("unfold", packed ? unfold<T, Y, V, A> : unfold<T, Y, 1, A>, shape, ctx, pointer<T>(in[0]), kept_of(in),
         pointer<Y>(out), rows, patches, op.scale, op.shift);
}

void patch_unfold(const ops::PatchUnfold& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  with_floating(out[0].dtype(), [&]<class Y>(Y) {
    switch (in[0].dtype()) {
      case DType::u8: return unfold_as<std::uint8_t, Y>(op, in, out[0], ctx);
      case DType::i16: return unfold_as<std::int16_t, Y>(op, in, out[0], ctx);
      default: with_floating(in[0].dtype(), [&]<class T>(T) { unfold_as<T, Y>(op, in, out[0], ctx); });
    }
  });
}

void patch_fold(const ops::PatchFold& op, Inputs in, Outputs out, Context& ctx) {
  if (out[0].numel() == 0) return;
  const Patches patches = patches_of(op.kName, op.shape, op.geometry);
  const std::int64_t run = op.geometry.patch[2];
  const auto planes = static_cast<unsigned>(op.shape[0] * op.shape[1] * op.shape[2]);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    constexpr int V = 16 / sizeof(T);
    const bool packed = fits(in[0], run, V) && fits(out[0], run, V);
    const std::int64_t packs = op.shape[3] * op.shape[4] / (packed ? V : 1);
    const Launch shape{.blocks = std::min(planes, static_cast<unsigned>(kMostBlocks)),
                       .threads = kThreads,
                       .rows = static_cast<unsigned>(std::min<std::int64_t>((packs + kThreads - 1) / kThreads, 64))};
    launch("fold", packed ? fold<T, V> : fold<T, 1>, shape, ctx, pointer<T>(in[0]), kept_of(in), pointer<T>(out[0]),
           in[0].dim(0), planes, patches, op.scale);
  });
}

}  // namespace

void register_patches(KernelTable& table) {
  table.add<ops::PatchUnfold>("cuda", patch_unfold, serves::anything);
  table.add<ops::PatchFold>("cuda", patch_fold, serves::anything);
}

}  // namespace strata::cuda
