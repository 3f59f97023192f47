// SPDX-License-Identifier: Apache-2.0
#include "io/dicom/convert.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <vector>

#include "strata/base/error.hpp"

namespace strata::io::dicom {
namespace {

// Cells to stored values: the field that ends at the high bit, extended by its sign.
template <class Cell>
void unpack(const std::byte* from, const PixelLayout& pixels, std::span<std::int32_t> values) {
  constexpr int kBits = 8 * sizeof(Cell);
  const int up = kBits - 1 - pixels.high_bit, down = kBits - pixels.bits_stored;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::make_unsigned_t<Cell> cell;
    std::memcpy(&cell, from + i * sizeof cell, sizeof cell);
    const auto shifted = static_cast<Cell>(static_cast<std::make_unsigned_t<Cell>>(cell << up));
    values[i] = static_cast<std::int32_t>(static_cast<Cell>(shifted >> down));
  }
}

void unpack_row(const std::byte* from, const PixelLayout& pixels, std::span<std::int32_t> values) {
  switch (pixels.bits_allocated + (pixels.is_signed ? 1 : 0)) {
    case 8: return unpack<std::uint8_t>(from, pixels, values);
    case 9: return unpack<std::int8_t>(from, pixels, values);
    case 16: return unpack<std::uint16_t>(from, pixels, values);
    case 17: return unpack<std::int16_t>(from, pixels, values);
    case 32: return unpack<std::uint32_t>(from, pixels, values);
    default: return unpack<std::int32_t>(from, pixels, values);
  }
}

struct Rescale {
  double slope = 1, intercept = 0;

  Rescale(const PixelLayout& pixels, const Frame& frame) : slope(frame.slope), intercept(frame.intercept) {
    if (!pixels.inverted) return;  // least + largest − v instead of v
    const double range = std::ldexp(1.0, pixels.bits_stored) - 1;
    const double ends = pixels.is_signed ? -1 : range;
    intercept += ends * slope;
    slope = -slope;
  }

  // Exact in f32: whole numbers below 2^24.
  bool exact(const PixelLayout& pixels) const {
    return pixels.bits_stored <= 16 && std::abs(slope) == 1 && intercept == std::rint(intercept) &&
           std::abs(intercept) < 1 << 23;
  }
};

void rescale_row(std::span<const std::int32_t> values, const Rescale& rescale, bool exact, float* out) {
  if (exact) {
    const auto sign = static_cast<std::int32_t>(rescale.slope), shift = static_cast<std::int32_t>(rescale.intercept);
    for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<float>(values[i] * sign + shift);
  } else {
    for (std::size_t i = 0; i < values.size(); ++i)
      out[i] = static_cast<float>(static_cast<double>(values[i]) * rescale.slope + rescale.intercept);
  }
}

bool mark_padding(std::span<const std::int32_t> values, std::int32_t least, std::int32_t largest, float padding,
                  float* out) {
  std::int32_t any = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const bool padded = values[i] >= least && values[i] <= largest;
    any |= padded;
    out[i] = padded ? padding : out[i];
  }
  return any != 0;
}

}  // namespace

float rescaled(std::int32_t stored, const PixelLayout& pixels, const Frame& frame) {
  const Rescale rescale(pixels, frame);
  return static_cast<float>(static_cast<double>(stored) * rescale.slope + rescale.intercept);
}

bool convert(const StoredImage& image, float padding, std::span<float> out) {
  const PixelLayout& pixels = *image.pixels;
  const std::int64_t cell = pixels.bits_allocated / 8;
  STRATA_DCHECK(std::ssize(out) == image.rows * image.columns);
  STRATA_DCHECK(std::ssize(image.cells) >= cell * pixels.rows * pixels.columns);
  const Rescale rescale(pixels, *image.frame);
  const bool exact = rescale.exact(pixels);
  const std::int32_t one = pixels.padding.value_or(0), other = pixels.padding_limit.value_or(one);
  std::vector<std::int32_t> values(static_cast<std::size_t>(image.columns));
  bool any = false;
  for (std::int64_t row = 0; row < image.rows; ++row) {
    const std::int64_t at = (image.frame->top + row) * pixels.columns + image.frame->left;
    float* line = out.data() + row * image.columns;
    unpack_row(image.cells.data() + at * cell, pixels, values);
    rescale_row(values, rescale, exact, line);
    if (pixels.padding && mark_padding(values, std::min(one, other), std::max(one, other), padding, line)) any = true;
  }
  return any;
}

}  // namespace strata::io::dicom
