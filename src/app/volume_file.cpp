// SPDX-License-Identifier: Apache-2.0
#include "app/volume_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "io/npy/npy.hpp"
#include "io/safetensors/safetensors.hpp"
#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

constexpr std::string_view kSubject = "volume";

Tensor read_safetensors_volume(const std::string& path, const std::string& tensor) {
  const io::SafetensorsFile file(path);
  STRATA_CHECK(!file.entries().empty(), data, kSubject, fmt::format("{} holds no tensor", io::printable(path, 400)));
  if (!tensor.empty()) return file.load(tensor);
  if (file.entries().size() == 1) return file.load(file.entries().front());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min<std::size_t>(file.entries().size(), 10); ++i)
    names.push_back(io::printable(file.entries()[i].name));
  fail(ErrorKind::usage, kSubject, fmt::format("{} holds {} tensors", io::printable(path, 400), file.entries().size()),
       fmt::format("choose one with --tensor, such as {}", fmt::join(names, ", ")));
}

double full_scale(const Tensor& volume, const Intensity& intensity) {
  if (intensity.full_scale) return *intensity.full_scale;
  if (volume.dtype() == DType::u8) return 255;
  STRATA_CHECK(volume.dtype() != DType::i16, usage, kSubject, "i16 voxels have no usual range",
               "say which value stands for 1 with --full-scale, or --raw");
  return 1;
}

// Voxels in Hounsfield units, say, would give an embedding of nonsense without a word.
void check_range(const Tensor& volume, const Intensity& intensity, const std::string& path) {
  if (intensity.raw || volume.dtype() != DType::f32) return;
  const auto [low, high] = std::minmax_element(volume.data<float>(), volume.data<float>() + volume.numel());
  const double scale = full_scale(volume, intensity), slack = 1e-3 * scale;
  STRATA_CHECK(
      *low >= -slack && *high <= scale + slack, data, kSubject,
      fmt::format("{} has voxels from {} to {}, not in [0, {}]", io::printable(path, 400), *low, *high, scale),
      "scale them to [0, 1], say which value stands for 1 with --full-scale, or --raw if they are normalised already");
}

}  // namespace

Tensor read_volume(const std::string& path, const std::string& tensor, const Intensity& intensity) {
  const bool npy = path.ends_with(".npy");
  STRATA_CHECK(npy || path.ends_with(".safetensors"), usage, kSubject,
               fmt::format("{} is neither .npy nor .safetensors", io::printable(path, 400)));
  Tensor volume = npy ? io::read_npy(path) : read_safetensors_volume(path, tensor);
  const auto name = io::printable(path, 400);
  const DType type = volume.dtype();
  STRATA_CHECK(is_floating(type) || type == DType::u8 || type == DType::i16, data, kSubject,
               fmt::format("{} has voxels of type {}", name, name_of(type)), "save them as u8, i16 or f32");
  STRATA_CHECK(volume.ndim() == 5 || volume.ndim() == 6, data, kSubject,
               fmt::format("{} has the shape {}", name, volume.shape().str()),
               "give one study as [N, 1, D, H, W] or several as [B, N, 1, D, H, W]");
  STRATA_CHECK(volume.numel() > 0, data, kSubject,
               fmt::format("{} is empty: its shape is {}", name, volume.shape().str()), "give at least one scan");
  if (volume.ndim() == 5)
    volume = volume.reshape({1, volume.dim(0), volume.dim(1), volume.dim(2), volume.dim(3), volume.dim(4)});
  if (is_floating(type)) volume = io::convert_floating(volume, DType::f32);
  const auto broken = io::first_non_finite(volume);
  STRATA_CHECK(!broken, numeric, kSubject,
               fmt::format("{} is NaN or infinite at {}", name, io::index_of(*broken, volume.shape())));
  check_range(volume, intensity, path);
  return volume;
}

models::StudyBatch study_batch(const Context& ctx, const Tensor& volume, std::int64_t index,
                               const Intensity& intensity) {
  models::StudyBatch batch;
  const Tensor study = volume.slice(0, index, index + 1);
  batch.scans = ctx.upload(study.reshape({volume.dim(1), volume.dim(2), volume.dim(3), volume.dim(4), volume.dim(5)}));
  batch.study_offsets = {0, volume.dim(1)};
  batch.ordinals = {index};
  if (!intensity.raw) models::normalise_intensity(batch, full_scale(volume, intensity));
  return batch;
}

}  // namespace strata::app
