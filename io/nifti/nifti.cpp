// SPDX-License-Identifier: Apache-2.0
#include "io/nifti/nifti.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "io/nifti/byte_source.hpp"
#include "io/nifti/header.hpp"
#include "io/nifti/voxels.hpp"
#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/study/unmeasured.hpp"

namespace strata::io {
namespace {

constexpr float kLargestLabel = 0x1p24f;  // from here on f32 does not hold every whole number

// Before memory is asked for: can the file hold what its header announces?
void check_size(const ByteSource& source, const NiftiHeader& header, const std::string& name) {
  const std::uint64_t voxels = header.frame_voxels() * static_cast<std::uint64_t>(header.frames);
  std::uint64_t end = 0;
  const bool countable = !__builtin_mul_overflow(voxels, size_of(header.type), &end) &&
                         !__builtin_add_overflow(end, header.data_begin, &end);
  const std::uint64_t most = source.position() + source.most_left();
  if (countable && end <= most) return;
  const auto& extents = header.geometry.extents;
  bad_nifti(name,
            fmt::format("{} × {} × {} × {} voxels of {} from byte {} on are announced, but the file {} {} bytes",
                        extents[2], extents[1], extents[0], header.frames, name_of(header.type), header.data_begin,
                        source.compressed() ? "can inflate to at most" : "has", most),
            "the file is cut short, or its header damaged");
}

struct Read {
  NiftiHeader header;
  std::vector<study::Volume> volumes;
};

Read read_all(const InputFile& file, const NiftiOptions& options) {
  ByteSource source(file);
  Read read{read_nifti_header(source, file.path(), options), {}};
  NiftiHeader& header = read.header;
  check_size(source, header, file.path());
  source.skip(header.data_begin - source.position());  // extensions: programs' own words, often names of people
  std::int64_t inexact = 0;
  for (std::int64_t frame = 0; frame < header.frames; ++frame) {
    auto& volume = read.volumes.emplace_back();
    volume.geometry = header.geometry;
    volume.voxels.resize(header.frame_voxels());
    inexact += read_voxels(source, header, volume.voxels);
  }
  if (inexact > 0) header.notes.push_back(fmt::format("{} voxels were rounded to single precision", inexact));
  if (const auto left = source.drain(); left > 0)
    header.notes.push_back(fmt::format("{} bytes follow the voxels: they were not read", left));
  return read;
}

// What lies in no measured volume becomes padding; a volume of nothing else is refused.
void fill(NiftiHeader& header, std::vector<study::Volume>& volumes, const std::string& name) {
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    const std::int64_t filled = study::fill_unmeasured(volumes[i]);
    if (filled == 0) continue;
    const std::string which = volumes.size() > 1 ? fmt::format(" of volume {}", i) : "";
    if (filled == static_cast<std::int64_t>(volumes[i].voxels.size()))
      bad_nifti(name, fmt::format("all {} voxels{} are NaN or infinite", filled, which));
    header.notes.push_back(fmt::format("{} voxels{} are NaN or infinite: taken as not measured", filled, which));
  }
}

NiftiImage read_image(const InputFile& file, const NiftiOptions& options) {
  Read read = read_all(file, options);
  fill(read.header, read.volumes, file.path());
  return {std::move(read.volumes), read.header.affine, read.header.version, std::string(name_of(read.header.type)),
          std::move(read.header.notes)};
}

void check_label(float value, std::size_t at, const study::Volume& volume, const std::string& name) {
  if (std::abs(value) <= kLargestLabel && value == std::trunc(value)) return;  // false for NaN
  const auto height = static_cast<std::size_t>(volume.geometry.extents[1]),
             width = static_cast<std::size_t>(volume.geometry.extents[2]);
  bad_nifti(name,
            fmt::format("voxel ({}, {}, {}) is {}: a label map holds whole numbers up to 2^24 alone", at % width,
                        at / width % height, at / width / height, value),
            "is this the image and not its labels?");
}

LabelMap read_labels(const InputFile& file, const NiftiOptions& options) {
  Read read = read_all(file, {FourD::refuse, options.largest_voxels});
  study::Volume& volume = read.volumes.front();
  std::set<std::int64_t> labels;
  float last = std::nanf("");
  for (std::size_t i = 0; i < volume.voxels.size(); ++i) {
    const float value = volume.voxels[i];
    if (value == last) continue;  // regions are runs
    check_label(value, i, volume, file.path());
    labels.insert(static_cast<std::int64_t>(value));
    last = value;
  }
  return {std::move(volume), {labels.begin(), labels.end()}, std::move(read.header.notes)};
}

}  // namespace

NiftiImage read_nifti(const std::string& path, const NiftiOptions& options) {
  return read_image(InputFile("nifti", path), options);
}

NiftiImage read_nifti(std::span<const std::byte> bytes, const std::string& name, const NiftiOptions& options) {
  return read_image(InputFile("nifti", name, bytes), options);
}

LabelMap read_nifti_labels(const std::string& path, const NiftiOptions& options) {
  return read_labels(InputFile("nifti", path), options);
}

LabelMap read_nifti_labels(std::span<const std::byte> bytes, const std::string& name, const NiftiOptions& options) {
  return read_labels(InputFile("nifti", name, bytes), options);
}

bool is_nifti(const std::string& path) {
  const InputFile file("nifti", path);
  std::array<std::byte, 348> head{};
  try {
    if (ByteSource(file).read_some(head) < head.size()) return false;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::data) return false;  // a gzip file that does not inflate
    throw;
  }
  bool swapped = false;
  const int version = nifti_version(head, swapped);
  const auto* text = reinterpret_cast<const char*>(head.data());
  const std::string_view magic(text + (version == 1 ? 344 : 4), 2);
  return version != 0 && (magic == "n+" || magic == "ni");
}

}  // namespace strata::io
