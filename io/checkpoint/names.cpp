// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/names.hpp"

#include "io/checkpoint/checkpoint_file.hpp"

namespace strata::io {

bool is_storable_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestTensorName && name != "." && name != ".." &&
         name.find('/') == name.npos && name.find('\0') == name.npos;
}

hdf5::Element element_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return hdf5::Element::f32;
    case DType::bf16: return hdf5::Element::u16;
    case DType::f64: return hdf5::Element::f64;
    case DType::i32: return hdf5::Element::i32;
    case DType::i64: return hdf5::Element::i64;
    case DType::u8: return hdf5::Element::u8;
    case DType::i16: return hdf5::Element::i16;
  }
  return hdf5::Element::u8;
}

std::optional<DType> dtype_of_element(hdf5::Element element) {
  for (const auto dtype : {DType::f32, DType::f64, DType::i32, DType::i64, DType::u8, DType::i16})
    if (element_of(dtype) == element) return dtype;
  return std::nullopt;
}

}  // namespace strata::io
