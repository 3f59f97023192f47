// SPDX-License-Identifier: Apache-2.0
#include "io/hdf5/types.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <bit>

#include "io/hdf5/check.hpp"

namespace strata::io::hdf5 {
namespace {

constexpr std::array kElements{Element::u8,  Element::i16, Element::u16, Element::i32,
                               Element::i64, Element::u64, Element::f32, Element::f64};

}  // namespace

std::size_t size_of(Element element) {
  switch (element) {
    case Element::u8: return 1;
    case Element::i16:
    case Element::u16: return 2;
    case Element::i32:
    case Element::f32: return 4;
    case Element::i64:
    case Element::u64:
    case Element::f64: return 8;
  }
  return 0;
}

std::string_view name_of(Element element) {
  switch (element) {
    case Element::u8: return "u8";
    case Element::i16: return "i16";
    case Element::u16: return "u16";
    case Element::i32: return "i32";
    case Element::i64: return "i64";
    case Element::u64: return "u64";
    case Element::f32: return "f32";
    case Element::f64: return "f64";
  }
  return {};
}

hid_t native_type(Element element) {
  switch (element) {
    case Element::u8: return H5T_NATIVE_UINT8;
    case Element::i16: return H5T_NATIVE_INT16;
    case Element::u16: return H5T_NATIVE_UINT16;
    case Element::i32: return H5T_NATIVE_INT32;
    case Element::i64: return H5T_NATIVE_INT64;
    case Element::u64: return H5T_NATIVE_UINT64;
    case Element::f32: return H5T_NATIVE_FLOAT;
    case Element::f64: return H5T_NATIVE_DOUBLE;
  }
  return H5I_INVALID_HID;
}

hid_t stored_type(Element element) {
  static_assert(std::endian::native == std::endian::little, "bulk is written as it lies in memory");
  switch (element) {
    case Element::u8: return H5T_STD_U8LE;
    case Element::i16: return H5T_STD_I16LE;
    case Element::u16: return H5T_STD_U16LE;
    case Element::i32: return H5T_STD_I32LE;
    case Element::i64: return H5T_STD_I64LE;
    case Element::u64: return H5T_STD_U64LE;
    case Element::f32: return H5T_IEEE_F32LE;
    case Element::f64: return H5T_IEEE_F64LE;
  }
  return H5I_INVALID_HID;
}

std::optional<Element> element_of(hid_t type) {
  for (const auto element : kElements)
    if (H5Tequal(type, stored_type(element)) > 0) return element;
  return std::nullopt;
}

Handle text_type(std::size_t width, const std::string& file) {
  Handle type(STRATA_HDF5(H5Tcopy(H5T_C_S1), internal, "describe a text", file));
  STRATA_HDF5(H5Tset_size(type, width), internal, "describe a text", file);
  STRATA_HDF5(H5Tset_strpad(type, H5T_STR_NULLPAD), internal, "describe a text", file);
  STRATA_HDF5(H5Tset_cset(type, H5T_CSET_UTF8), internal, "describe a text", file);
  return type;
}

Handle space_of(const Extents& extents, const std::string& file) {
  if (extents.empty()) return Handle(STRATA_HDF5(H5Screate(H5S_SCALAR), internal, "describe a value", file));
  const std::vector<hsize_t> dims(extents.begin(), extents.end());
  return Handle(STRATA_HDF5(H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr), internal,
                            fmt::format("describe extents {}", list(extents)), file));
}

Extents extents_of(hid_t space, const std::string& file) {
  std::array<hsize_t, H5S_MAX_RANK> dims{};
  const int rank = STRATA_HDF5(H5Sget_simple_extent_ndims(space), data, "read the extents", file);
  STRATA_HDF5(H5Sget_simple_extent_dims(space, dims.data(), nullptr), data, "read the extents", file);
  return {dims.begin(), dims.begin() + rank};
}

std::string list(const Extents& extents) { return fmt::format("[{}]", fmt::join(extents, ", ")); }

}  // namespace strata::io::hdf5
