// SPDX-License-Identifier: Apache-2.0
#include "io/nifti/header.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nifti2_io.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::uint64_t kSizes[] = {0, sizeof(nifti_1_header), sizeof(nifti_2_header)};
static_assert(sizeof(nifti_1_header) == 348 && sizeof(nifti_2_header) == 540);
constexpr std::size_t kExtensionFlag = 4;  // bytes between header and extensions, always there

struct Type {
  int code;
  NiftiType type;
  std::string_view name;
  std::size_t size;
};

constexpr std::array<Type, 10> kTypes{{{DT_UINT8, NiftiType::u8, "uint8", 1},
                                       {DT_INT8, NiftiType::i8, "int8", 1},
                                       {DT_INT16, NiftiType::i16, "int16", 2},
                                       {DT_UINT16, NiftiType::u16, "uint16", 2},
                                       {DT_INT32, NiftiType::i32, "int32", 4},
                                       {DT_UINT32, NiftiType::u32, "uint32", 4},
                                       {DT_INT64, NiftiType::i64, "int64", 8},
                                       {DT_UINT64, NiftiType::u64, "uint64", 8},
                                       {DT_FLOAT32, NiftiType::f32, "float32", 4},
                                       {DT_FLOAT64, NiftiType::f64, "float64", 8}}};

const Type& entry(NiftiType type) { return *std::ranges::find(kTypes, type, &Type::type); }

template <class Header>
Header header_from(std::span<const std::byte> bytes) {
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

template <std::size_t N, class Array>
auto copied(const Array& from) {
  std::array<std::conditional_t<std::is_integral_v<std::remove_extent_t<Array>>, std::int64_t, double>, N> to{};
  for (std::size_t i = 0; i < N; ++i) to[i] = from[i];
  return to;
}

// Both versions name their fields alike and differ in their types.
template <class Header>
RawHeader raw_from(const Header& header) {
  RawHeader raw;
  raw.dim = copied<8>(header.dim);
  raw.pixdim = copied<8>(header.pixdim);
  raw.datatype = header.datatype;
  raw.bitpix = header.bitpix;
  raw.qform_code = header.qform_code;
  raw.sform_code = header.sform_code;
  raw.units = header.xyzt_units;
  raw.vox_offset = static_cast<double>(header.vox_offset);
  raw.slope = header.scl_slope;
  raw.intercept = header.scl_inter;
  raw.quaternion = {header.quatern_b, header.quatern_c, header.quatern_d};
  raw.qoffset = {header.qoffset_x, header.qoffset_y, header.qoffset_z};
  raw.sform = {copied<4>(header.srow_x), copied<4>(header.srow_y), copied<4>(header.srow_z)};
  return raw;
}

void check_magic(std::string_view magic, int version, const std::string& name) {
  constexpr std::string_view kSingle[] = {"", std::string_view("n+1\0", 4), std::string_view("n+2\0\r\n\x1a\n", 8)};
  constexpr std::string_view kPair[] = {"", std::string_view("ni1\0", 4), std::string_view("ni2\0\r\n\x1a\n", 8)};
  if (magic == kSingle[version]) return;
  if (magic == kPair[version])
    bad_nifti(name, "this is the header of a pair of .hdr and .img files, only single files are read",
              "save it as .nii or .nii.gz");
  if (version == 1 && magic == std::string_view("\0\0\0\0", 4))
    bad_nifti(name, "this is an ANALYZE 7.5 header, which does not say left from right", "save it as NIfTI");
  bad_nifti(name, fmt::format("the magic of a NIfTI-{} file is {}", version, printable(magic)),
            "the file is damaged or not NIfTI");
}

RawHeader read_raw(ByteSource& source, const std::string& name, NiftiHeader& header) {
  std::array<std::byte, sizeof(nifti_2_header)> bytes{};
  const std::size_t held = source.read_some(std::span(bytes).first(kSizes[1]));
  if (held < 4) bad_nifti(name, fmt::format("the file has {} bytes, a NIfTI file at least 352", held));
  header.version = nifti_version(bytes, header.swapped);
  if (header.version == 0)
    bad_nifti(name, "the file does not begin as a NIfTI file does", "give a .nii or .nii.gz file");
  if (held < kSizes[1]) bad_nifti(name, fmt::format("the header is cut short after {} bytes", held));
  if (header.version == 1) {
    auto first = header_from<nifti_1_header>(bytes);
    if (header.swapped) nifti_swap_as_nifti1(&first);
    check_magic({first.magic, 4}, 1, name);
    return raw_from(first);
  }
  source.read(std::span(bytes).subspan(kSizes[1]));
  auto second = header_from<nifti_2_header>(bytes);
  if (header.swapped) nifti_swap_as_nifti2(&second);
  check_magic({second.magic, 8}, 2, name);
  return raw_from(second);
}

// Extents up to dim[0]; those beyond are not looked at, as the standard says.
void take_extents(const RawHeader& raw, const std::string& name, const NiftiOptions& options, NiftiHeader& header) {
  const std::int64_t dims = raw.dim[0];
  if (dims < 1 || dims > 7) bad_nifti(name, fmt::format("the header says {} dimensions, 1 to 7 are possible", dims));
  std::array<std::int64_t, 7> extents{1, 1, 1, 1, 1, 1, 1};
  std::copy_n(raw.dim.begin() + 1, dims, extents.begin());
  const std::span used(extents.data(), static_cast<std::size_t>(dims));
  std::int64_t product = 1;
  for (const auto extent : used) {
    if (extent < 1) bad_nifti(name, fmt::format("the extents are {}, none may be under 1", fmt::join(used, " × ")));
    if (__builtin_mul_overflow(product, extent, &product) || product > options.largest_voxels)
      bad_nifti(name,
                fmt::format("the extents are {}: more than {} voxels", fmt::join(used, " × "), options.largest_voxels));
  }
  if (extents[4] * extents[5] * extents[6] > 1)
    bad_nifti(name, fmt::format("the extents are {}: voxels that are vectors are not read", fmt::join(used, " × ")),
              "save each component as a file of its own");
  if (extents[3] > 1 && options.four_d == FourD::refuse)
    bad_nifti(name, fmt::format("the file holds {} volumes, one was expected", extents[3]),
              "choose to split it, or save the volume that is meant");
  header.frames = extents[3];
  header.geometry.extents = {extents[2], extents[1], extents[0]};
}

void take_type(const RawHeader& raw, const std::string& name, NiftiHeader& header) {
  const auto type = std::ranges::find(kTypes, raw.datatype, &Type::code);
  if (type == kTypes.end())
    bad_nifti(
        name,
        fmt::format("voxels of data type {} are not read, only integers and floats of 8 to 64 bits", raw.datatype),
        "save it as float32");
  header.type = type->type;
  if (raw.bitpix != static_cast<int>(type->size * 8))
    header.notes.push_back(fmt::format("the header says {} bits a voxel, but {} has {}: the type was believed",
                                       raw.bitpix, type->name, type->size * 8));
}

// No slope, 0 or NaN, means no scaling; an intercept is read only beside a slope.
void take_scaling(const RawHeader& raw, const std::string& name, NiftiHeader& header) {
  if (std::isinf(raw.slope)) bad_nifti(name, "the slope of the intensities is infinite");
  if (std::isnan(raw.slope) || raw.slope == 0) return;
  if (!std::isfinite(raw.intercept))
    bad_nifti(name,
              fmt::format("the slope of the intensities is {}, but their intercept {}", raw.slope, raw.intercept));
  header.slope = raw.slope;
  header.intercept = raw.intercept;
}

void take_offset(const RawHeader& raw, const std::string& name, NiftiHeader& header) {
  const double least = static_cast<double>(kSizes[header.version] + kExtensionFlag);
  // NaN is refused too. 2^53: beyond it f64 does not count bytes.
  if (!(raw.vox_offset >= least && raw.vox_offset <= 0x1p53) || raw.vox_offset != std::floor(raw.vox_offset))
    bad_nifti(name,
              fmt::format("the voxels are said to begin at byte {}, they can at {} or later", raw.vox_offset, least));
  header.data_begin = static_cast<std::uint64_t>(raw.vox_offset);
}

}  // namespace

std::string_view name_of(NiftiType type) { return entry(type).name; }
std::size_t size_of(NiftiType type) { return entry(type).size; }

void bad_nifti(const std::string& name, const std::string& what, std::string_view hint) {
  fail(ErrorKind::data, "nifti", fmt::format("{}: {}", printable(name, 400), what), hint);
}

int nifti_version(std::span<const std::byte> head, bool& swapped) {
  std::uint32_t size = 0;
  std::memcpy(&size, head.data(), sizeof size);
  for (int version = 1; version <= 2; ++version) {
    swapped = size != kSizes[version];
    if (!swapped || __builtin_bswap32(size) == kSizes[version]) return version;
  }
  return 0;
}

NiftiHeader read_nifti_header(ByteSource& source, const std::string& name, const NiftiOptions& options) {
  NiftiHeader header;
  const RawHeader raw = read_raw(source, name, header);
  take_type(raw, name, header);
  take_extents(raw, name, options, header);
  take_scaling(raw, name, header);
  take_offset(raw, name, header);
  place(raw, name, header);
  return header;
}

}  // namespace strata::io
