// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/patches.hpp"

#include <string>

#include "backends/cuda/faults.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/tiles.cuh"
#include "strata/base/error.hpp"

namespace strata::cuda {
namespace {

using Number = Divisor<unsigned>;
struct Split {
  unsigned quotient, rest;
};
__device__ __forceinline__ Split split(unsigned n, const Number& by) {
  const unsigned quotient = by.quotient(n);
  return {quotient, n - quotient * by.by};
}

// Of a volume [scans, channels, depth, height, width]. Patches and the elements of one are counted in 31 bits, voxels
// in 64.
struct Patches {
  unsigned channels, depth, height, width;
  Number pd, ph, pw, gd, gh, gw;
  unsigned count;  // of all scans

  __host__ __device__ unsigned elements() const { return channels * pd.by * ph.by * pw.by; }  // of a patch
  __device__ std::int64_t voxel(unsigned scan, unsigned c, unsigned d, unsigned h, unsigned w) const {
    return ((static_cast<std::int64_t>(scan * channels + c) * depth + d) * height + h) * width + w;
  }
  __device__ std::int64_t first_voxel(unsigned patch) const {
    const Split line = split(patch, gw), plane = split(line.quotient, gh), scan = split(plane.quotient, gd);
    return voxel(scan.quotient, 0, scan.rest * pd.by, plane.rest * ph.by, line.rest * pw.by);
  }
  // From the first voxel of a patch to that of its element e.
  __device__ std::int64_t distance(unsigned e) const {
    const Split run = split(e, pw), slab = split(run.quotient, ph), channel = split(slab.quotient, pd);
    return voxel(0, channel.quotient, channel.rest, slab.rest, run.rest);
  }
};

// Rows that a block moves together.
constexpr int kRows = kOfOne;

// rows = volume · scale + shift; a thread one pack of each of a block's rows. A row whose patch is not in the volume
// becomes NaN.
template <class T, class Y, int V, class A>
__global__ void __launch_bounds__(kThreads)
    unfold(const T* volume, const std::int32_t* kept, Y* rows, std::int64_t count,
           const __grid_constant__ Patches patches, A scale, A shift, Faults* faults) {
  struct Run {
    PackBits<T, V> bits{};
    bool inside;
  };
  const unsigned packs = patches.elements() / V;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.x) * kRows;
  const int own = static_cast<int>(count - begin < kRows ? count - begin : kRows);
  for (unsigned i = threadIdx.x; i < packs; i += blockDim.x) {
    const T* from = volume + patches.distance(i * V);
    const auto get = [&](int r) {
      const auto patch = static_cast<unsigned>(kept == nullptr ? begin + r : kept[begin + r]);
      Run run{.inside = patch < patches.count};
      if (!run.inside && i == 0)
        report_fault(faults, FaultPlace::patch_unfold, begin + r, kept == nullptr ? begin + r : kept[begin + r],
                     patches.count);
      if (run.inside) run.bits = bits_at<V>(from + patches.first_voxel(patch), 0);
      return run;
    };
    const auto put = [&](int r, const Run& run) {
      const auto in = run.bits.pack();
      Pack<Y, V> out;
#pragma unroll
      for (int k = 0; k < V; ++k)
        out.v[k] = narrow<Y>(run.inside ? static_cast<A>(widen(in.v[k])) * scale + shift
                                        : std::numeric_limits<A>::quiet_NaN());
      put_pack(rows, (begin + r) * packs + i, out);
    };
    stream<kRows>(0, own, 1, get, put);
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
      const Split in_d = split(d, patches.pd), in_h = split(h, patches.ph), in_w = split(w, patches.pw);
      const unsigned patch =
          ((scan * patches.gd.by + in_d.quotient) * patches.gh.by + in_h.quotient) * patches.gw.by + in_w.quotient;
      const unsigned e = ((c * patches.pd.by + in_d.rest) * patches.ph.by + in_h.rest) * patches.pw.by + in_w.rest;
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
  return {small(volume[1]), small(volume[2]), small(volume[3]), small(volume[4]), Number(pd),  Number(ph),
          Number(pw),       Number(gd),       Number(gh),       Number(gw),       small(count)};
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
  const Launch shape{.blocks = static_cast<unsigned>((rows + kRows - 1) / kRows),
                     .threads = std::min(kThreads, (packs + 31) / 32 * 32)};
  launch("unfold", packed ? unfold<T, Y, V, A> : unfold<T, Y, 1, A>, shape, ctx, pointer<T>(in[0]), kept_of(in),
         pointer<Y>(out), rows, patches, op.scale, op.shift, faults_of(ctx));
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
