// SPDX-License-Identifier: Apache-2.0
//
// The text header of a .npy file: a Python dictionary literal with the keys descr, fortran_order and shape. Private to
// this folder.
#pragma once

#include <string>
#include <string_view>

#include "strata/tensor/tensor.hpp"

namespace strata::io {

struct NpyHeader {
  DType dtype = DType::f32;
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
};

NpyHeader parse_npy_header(std::string_view text, const std::string& path);  // `path` is for messages
std::string build_npy_header(const TensorSpec& spec);  // magic, version, length and text, a multiple of 64 bytes

}  // namespace strata::io
