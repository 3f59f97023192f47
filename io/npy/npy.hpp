// SPDX-License-Identifier: Apache-2.0
//
// NumPy's .npy files (format versions 1, 2 and 3, numpy.lib.format), one dense array each: how volumes come in and
// embeddings go out without any library. Element types f4 f8 i2 i4 i8 u1, either byte order; arrays in Fortran order
// are turned to C order by a copy. As strict as the safetensors reader: the header is parsed by a grammar of its own,
// never evaluated, and its shape must account for every byte of the file.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "strata/tensor/tensor.hpp"

namespace strata::io {

Tensor read_npy(const std::string& path);                                    // host memory; a broken file: data error
Tensor read_npy(std::span<const std::byte> bytes, const std::string& name);  // the same in memory

// Host tensor, dense or strided; version 1, C order. Whole or not at all. bf16, which NumPy lacks: usage error.
void write_npy(const std::string& path, const Tensor& tensor);

}  // namespace strata::io
