// SPDX-License-Identifier: Apache-2.0
#include "io/nifti/write.hpp"

#include <fmt/format.h>
#include <nifti1.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "strata/base/error.hpp"
#include "strata/base/text.hpp"
#include "strata/io/file.hpp"

namespace strata::io {
namespace {

nifti_1_header header_of(const study::Geometry& geometry) {
  nifti_1_header header{};
  header.sizeof_hdr = sizeof(nifti_1_header);
  std::copy_n("n+1", 4, header.magic);
  header.vox_offset = 352;
  header.scl_slope = 1;
  header.xyzt_units = NIFTI_UNITS_MM;
  header.sform_code = NIFTI_XFORM_SCANNER_ANAT;
  header.dim[0] = 3;
  std::fill_n(header.dim + 4, 4, short{1});
  header.pixdim[0] = 1;
  float* rows[3] = {header.srow_x, header.srow_y, header.srow_z};
  for (std::size_t file = 0; file < 3; ++file) {  // x, y, z of the file are W, H, D
    const study::Vec3& step = geometry.steps[2 - file];
    header.dim[file + 1] = static_cast<short>(geometry.extents[2 - file]);
    header.pixdim[file + 1] = static_cast<float>(std::hypot(step[0], step[1], step[2]));
    for (std::size_t axis = 0; axis < 3; ++axis) rows[axis][file] = static_cast<float>(step[axis]);
  }
  for (std::size_t axis = 0; axis < 3; ++axis) rows[axis][3] = static_cast<float>(geometry.origin[axis]);
  return header;
}

void write(const std::string& path, const study::Geometry& geometry, short type, std::size_t bytes,
           std::span<const std::byte> voxels) {
  std::size_t count = 1;
  for (const auto extent : geometry.extents) {
    STRATA_CHECK(extent > 0 && extent <= 32767, usage, "nifti",
                 fmt::format("an extent of {} cannot be written to {}", extent, printable(path, 400)),
                 "NIfTI-1 has extents of 1 to 32,767");
    count *= static_cast<std::size_t>(extent);
  }
  STRATA_CHECK(voxels.size() == count * bytes, usage, "nifti",
               fmt::format("{} bytes are no volume of {} voxels", voxels.size(), count));
  nifti_1_header header = header_of(geometry);
  header.datatype = type;
  header.bitpix = static_cast<short>(8 * bytes);
  OutputFile file("nifti", path);
  file.write(std::as_bytes(std::span(&header, 1)));
  file.write(std::string_view("\0\0\0\0", 4));  // no extensions
  file.write(voxels);
  file.commit();
}

}  // namespace

void write_nifti(const std::string& path, const study::Geometry& geometry, std::span<const std::uint8_t> voxels) {
  write(path, geometry, DT_UINT8, 1, std::as_bytes(voxels));
}

void write_nifti(const std::string& path, const study::Geometry& geometry, std::span<const float> voxels) {
  write(path, geometry, DT_FLOAT32, 4, std::as_bytes(voxels));
}

}  // namespace strata::io
