// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "io/nifti/nifti.hpp"
#include "tests/fixtures/nifti_bytes.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/promise.hpp"
#include "tests/fuzz/seeds.hpp"

namespace strata::fuzz {
namespace {

constexpr io::NiftiOptions kOptions{.four_d = io::FourD::split, .largest_voxels = 1 << 24};
constexpr std::size_t kLargestRatio = 1100;  // of deflate, with some room

bool is_finite(const study::Geometry& geometry) {
  const auto finite = [](const study::Vec3& v) {
    return std::all_of(v.begin(), v.end(), [](double x) { return std::isfinite(x); });
  };
  return finite(geometry.origin) && std::all_of(geometry.steps.begin(), geometry.steps.end(), finite);
}

void check_volume(const study::Volume& volume, std::size_t file_bytes) {
  const auto& e = volume.geometry.extents;
  promise(e[0] > 0 && e[1] > 0 && e[2] > 0, "an extent under 1");
  promise(volume.voxels.size() == static_cast<std::size_t>(e[0] * e[1] * e[2]), "voxels that are not D·H·W");
  promise(volume.voxels.size() < file_bytes * kLargestRatio, "more voxels than the file can hold");
  promise(is_finite(volume.geometry), "a geometry that is not finite");
  promise(std::all_of(volume.voxels.begin(), volume.voxels.end(), [](float v) { return std::isfinite(v); }),
          "voxels that are not finite");
}

void check_notes(const std::vector<std::string>& notes) {
  promise(notes.size() < 1000, "notes without end");
  for (const auto& note : notes) promise(!note.empty() && note.size() < 500, "a note without bound");
}

}  // namespace

bool fuzz_nifti(std::span<const std::byte> bytes) {
  accepts([&] {
    const auto map = io::read_nifti_labels(bytes, "fuzz", kOptions);
    check_volume(map.volume, bytes.size());
    check_notes(map.notes);
    promise(!map.labels.empty() && std::is_sorted(map.labels.begin(), map.labels.end()), "labels out of order");
  });
  return accepts([&] {
    const auto image = io::read_nifti(bytes, "fuzz", kOptions);
    promise(!image.volumes.empty(), "no volume");
    for (const auto& volume : image.volumes) check_volume(volume, bytes.size());
    check_notes(image.notes);
  });
}

bool fuzz_nifti_header(std::span<const std::byte> bytes) {
  std::string file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  file.append(std::size_t{1} << 14, '\x2a');
  return fuzz_nifti(std::as_bytes(std::span(file)));
}

std::vector<Seed> nifti_seeds() {
  using fixtures::nifti_file;
  fixtures::NiftiParts parts;
  const std::vector<std::int16_t> voxels{0, 1, 2, 3, 4, 5, -6, -7, -8, -9, -10, 11};
  std::vector<Seed> seeds{{"int16", nifti_file(parts, voxels)}};
  seeds.push_back({"gzip", fixtures::gzip_stored(seeds[0].bytes)});
  parts.version = 2;
  parts.slope = 0.5;
  parts.intercept = -3;
  seeds.push_back({"version_2_scaled", nifti_file(parts, voxels)});
  parts.version = 1;
  parts.dim = {4, 2, 1, 2, 3, 1, 1, 1};
  seeds.push_back({"frames", nifti_file(parts, voxels)});
  parts = {};
  parts.qform_code = 1;
  parts.quaternion = {0.1, -0.2, 0.3};
  parts.qoffset = {10, 20, -30};
  parts.pixdim = {-1, 0.5, 0.5, 4, 0, 0, 0, 0};
  parts.units = 3;
  seeds.push_back({"both_forms", nifti_file(parts, voxels)});
  parts.sform_code = 0;
  parts.datatype = 64;
  parts.bitpix = 64;
  seeds.push_back(
      {"qform_float64", nifti_file(parts, std::vector<double>{1, 2, NAN, 3, 4, 5, 6, 7, 8, 9, 10, -1e300})});
  parts = {};
  parts.dim = {3, 3, 2, 1, 0, 0, 0, 0};
  parts.sform_code = 0;
  parts.datatype = 2;
  parts.bitpix = 8;
  seeds.push_back({"no_forms_uint8", nifti_file(parts, std::vector<std::uint8_t>{0, 0, 1, 1, 2, 255})});
  parts.vox_offset = 384;
  seeds.push_back({"extension", fixtures::nifti_header(parts) + std::string(32, 'e') + std::string(6, '\1')});
  return seeds;
}

}  // namespace strata::fuzz
