// SPDX-License-Identifier: Apache-2.0
//
// The header of a NIfTI file, judged: what it says of voxels and of their place, or a data error. Private to this
// folder.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/nifti/byte_source.hpp"
#include "io/nifti/nifti.hpp"

namespace strata::io {

enum class NiftiType { u8, i8, i16, u16, i32, u32, i64, u64, f32, f64 };

std::string_view name_of(NiftiType type);
std::size_t size_of(NiftiType type);

using Affine = std::array<std::array<double, 4>, 3>;  // rows; from file indices (x, y, z, 1) to mm, RAS+

struct NiftiHeader {
  int version = 1;
  bool swapped = false;  // the other byte order than this machine's
  NiftiType type = NiftiType::f32;
  std::int64_t frames = 1;   // the fourth extent
  study::Geometry geometry;  // of each frame
  AffineSource affine = AffineSource::spacing;
  double slope = 1, intercept = 0;
  std::uint64_t data_begin = 0;
  std::vector<std::string> notes;

  std::uint64_t frame_voxels() const {
    return static_cast<std::uint64_t>(geometry.extents[0] * geometry.extents[1] * geometry.extents[2]);
  }
};

// Takes 348 or 540 bytes of the source. Extents are bounded by `options` and their product cannot overflow. `name` is
// for messages.
NiftiHeader read_nifti_header(ByteSource& source, const std::string& name, const NiftiOptions& options);

// The place of a volume by s-form, q-form or voxel sizes, whichever is usable first; adds notes.
struct RawHeader;
void place(const RawHeader& raw, const std::string& name, NiftiHeader& header);

// The words of both versions' headers that are read, in native byte order.
struct RawHeader {
  std::array<std::int64_t, 8> dim{};
  std::array<double, 8> pixdim{};
  int datatype = 0, bitpix = 0, qform_code = 0, sform_code = 0, units = 0;
  double vox_offset = 0, slope = 0, intercept = 0;
  std::array<double, 3> quaternion{}, qoffset{};  // b c d; x y z
  Affine sform{};
};

// Whether `head` (at least 4 bytes) holds the size of a NIfTI header in either byte order; the version, else 0.
int nifti_version(std::span<const std::byte> head, bool& swapped);

[[noreturn]] void bad_nifti(const std::string& name, const std::string& what, std::string_view hint = {});

}  // namespace strata::io
