// SPDX-License-Identifier: Apache-2.0
//
// Stored cells to f32 values: bit fields, sign, rescaling, padding. One pass over a frame, in loops that vectorise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "io/dicom/record.hpp"

namespace strata::io::dicom {

// An image inside a decoded frame of little-endian cells.
struct StoredImage {
  std::span<const std::byte> cells;  // [pixels.rows, pixels.columns]
  const PixelLayout* pixels = nullptr;
  const Frame* frame = nullptr;
  std::int64_t rows = 0, columns = 0;  // of the image
};

// What a stored value stands for.
float rescaled(std::int32_t stored, const PixelLayout& pixels, const Frame& frame);

// Fills `out` [rows, columns]; padding becomes `padding`. True if there was any.
bool convert(const StoredImage& image, float padding, std::span<float> out);

}  // namespace strata::io::dicom
