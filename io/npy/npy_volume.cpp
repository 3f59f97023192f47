// SPDX-License-Identifier: Apache-2.0
#include "io/npy/npy_volume.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string_view>
#include <type_traits>

#include "io/npy/npy.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"
#include "strata/study/unmeasured.hpp"

namespace strata::io {
namespace {

[[noreturn]] void bad(const std::string& name, const std::string& what, std::string_view hint = {}) {
  fail(ErrorKind::data, "npy", fmt::format("{}: {}", printable(name, 400), what), hint);
}

// RAS+: the pairs of letters by world axis, the positive direction first.
constexpr std::array<std::string_view, 3> kPairs{"RL", "AP", "SI"};

std::array<study::Vec3, 3> steps_of(const NpyVolumeOptions& options) {
  std::array<study::Vec3, 3> steps{};
  std::array<bool, 3> seen{};
  bool good = options.axes.size() == 3;
  for (std::size_t axis = 0; good && axis < 3; ++axis) {
    good = false;
    for (std::size_t world = 0; world < 3; ++world) {
      const auto at = kPairs[world].find(options.axes[axis]);
      if (at == std::string_view::npos || seen[world]) continue;
      seen[world] = good = true;
      steps[axis][world] = at == 0 ? options.spacing[axis] : -options.spacing[axis];
    }
  }
  STRATA_CHECK(good, usage, "npy",
               fmt::format("axes {} are no three directions, one of each pair R L, A P, S I", printable(options.axes)),
               "give them as in SPL: slices up, rows to the back, columns to the left");
  for (const double spacing : options.spacing)
    STRATA_CHECK(std::isfinite(spacing) && spacing > 0, usage, "npy",
                 fmt::format("a spacing of {} mm is none", spacing), "give three positive numbers: D, H, W");
  return steps;
}

study::Extents3 extents_of(const Tensor& tensor, const std::string& name) {
  const auto all = tensor.shape().extents();
  std::size_t first = 0;
  while (all.size() - first > 3 && all[first] == 1) ++first;
  const std::size_t dims = all.size() - first;
  if (dims != 2 && dims != 3)
    bad(name, fmt::format("an array of {} is no volume [D, H, W]", tensor.spec().str()),
        "save one volume a file, without channels");
  if (tensor.numel() == 0) bad(name, fmt::format("the array of {} is empty", tensor.spec().str()));
  return {dims == 3 ? all[first] : 1, all[all.size() - 2], all[all.size() - 1]};
}

template <class T>
void convert(const Tensor& tensor, std::vector<float>& voxels, const std::string& name) {
  const T* from = tensor.data<T>();
  for (std::size_t i = 0; i < voxels.size(); ++i) {
    voxels[i] = static_cast<float>(from[i]);
    if constexpr (std::is_integral_v<T> && sizeof(T) > 2) {
      constexpr T kSafe = T{1} << 24;
      if (from[i] < -kSafe || from[i] > kSafe)
        bad(name, fmt::format("voxel {} is {}, beyond the 2^24 up to which single precision counts", i, from[i]),
            "save it as float32, scaled");
    }
  }
}

void convert_type(const Tensor& tensor, std::vector<float>& voxels, const std::string& name) {
  switch (tensor.dtype()) {
    case DType::f32: return convert<float>(tensor, voxels, name);
    case DType::f64: return convert<double>(tensor, voxels, name);
    case DType::i16: return convert<std::int16_t>(tensor, voxels, name);
    case DType::i32: return convert<std::int32_t>(tensor, voxels, name);
    case DType::i64: return convert<std::int64_t>(tensor, voxels, name);
    case DType::u8: return convert<std::uint8_t>(tensor, voxels, name);
    default: bad(name, fmt::format("voxels of type {} are not read", name_of(tensor.dtype())));
  }
}

study::Volume volume_of(const Tensor& tensor, const std::string& name, const NpyVolumeOptions& options) {
  study::Volume volume;
  volume.geometry.steps = steps_of(options);
  volume.geometry.extents = extents_of(tensor, name);
  volume.voxels.resize(static_cast<std::size_t>(tensor.numel()));
  convert_type(tensor, volume.voxels, name);
  if (study::fill_unmeasured(volume) == tensor.numel())
    bad(name, fmt::format("all {} voxels are NaN or infinite", tensor.numel()));
  return volume;
}

}  // namespace

study::Volume read_npy_volume(const std::string& path, const NpyVolumeOptions& options) {
  return volume_of(read_npy(path), path, options);
}

study::Volume read_npy_volume(std::span<const std::byte> bytes, const std::string& name,
                              const NpyVolumeOptions& options) {
  return volume_of(read_npy(bytes, name), name, options);
}

}  // namespace strata::io
