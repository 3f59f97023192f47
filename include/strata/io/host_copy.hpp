// SPDX-License-Identifier: Apache-2.0
//
// What files need of tensors in host memory and no backend is asked for: a dense copy of a strided view, a search for
// NaN and infinity, and conversion between floating types. One plain pass each; not for the training path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "strata/tensor/tensor.hpp"

namespace strata::io {

Tensor dense_on_host(
    const Tensor& tensor);  // the tensor itself when it is dense already; memory of a device: internal error

// Bytes of a dense tensor; nothing when the product without the zero extents is more than a Shape can count (the
// strides of a tensor that holds nothing are products of its other extents). Elements of at most 8 bytes. For extents
// that come out of files, before they become a Shape. None may be negative.
std::optional<std::uint64_t> checked_bytes(std::span<const std::int64_t> extents, std::size_t element_size);

// Row-major number of the first NaN or infinity of a dense host tensor; integers have none.
std::optional<std::int64_t> first_non_finite(const Tensor& tensor);

// The multi-index "[1, 0, 5]" of a row-major element number.
std::string index_of(std::int64_t element, const Shape& shape);

// Between f32, bf16 and f64, rounding to nearest even; the tensor itself when it has the type already. Dense host
// tensors.
Tensor convert_floating(const Tensor& tensor, DType to);

// IEEE binary16 bits, which the engine has no element type for, to f32 (exact).
float float_from_half(std::uint16_t bits);

}  // namespace strata::io
