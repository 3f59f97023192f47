// SPDX-License-Identifier: Apache-2.0
// Run-length encoding (PS3.5 Annex G): each byte of the cells, the highest first, is a segment of PackBits runs. DCMTK
// 3.6.7 believes a segment's offsets and reads outside its memory where they are wrong; here they are judged.
#include <fmt/format.h>

#include <algorithm>

#include "io/dicom/decode.hpp"
#include "strata/base/error.hpp"

namespace strata::io::dicom {
namespace {

constexpr std::size_t kHeader = 64;  // the number of segments and 15 offsets, little endian

[[noreturn]] void broken(std::string_view what) { fail(ErrorKind::data, "dicom", fmt::format("RLE: {}", what)); }

std::uint32_t word(std::span<const std::byte> stream, std::size_t number) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(stream[number * 4 + i]);
  return value;
}

// Fills every stride-th of `count` cells from `at` on. What a segment holds beyond them is padding.
void unpack(std::span<const std::byte> runs, std::byte* at, std::size_t stride, std::size_t count) {
  std::size_t taken = 0, filled = 0;
  while (filled < count) {
    if (taken + 1 >= runs.size()) broken(fmt::format("a segment of {} bytes ends after {} cells", runs.size(), filled));
    const auto control = std::to_integer<unsigned>(runs[taken++]);
    if (control == 128) continue;  // no operation
    const bool literal = control < 128;
    const std::size_t length = std::min<std::size_t>(literal ? control + 1 : 257 - control, count - filled);
    if (literal && length > runs.size() - taken) broken("a segment ends within a run");
    for (std::size_t i = 0; i < length; ++i) at[(filled + i) * stride] = runs[literal ? taken + i : taken];
    taken += literal ? length : 1;
    filled += length;
  }
}

}  // namespace

void decode_rle(std::span<const std::byte> stream, const PixelLayout& pixels, std::span<std::byte> cells) {
  const auto width = static_cast<std::size_t>(pixels.bits_allocated / 8);
  const std::size_t count = static_cast<std::size_t>(pixels.rows) * static_cast<std::size_t>(pixels.columns);
  if (stream.size() < kHeader) broken(fmt::format("a frame of {} bytes has no header", stream.size()));
  if (word(stream, 0) != width) broken(fmt::format("{} segments for cells of {} bytes", word(stream, 0), width));
  for (std::size_t segment = 0; segment < width; ++segment) {
    const std::size_t begin = word(stream, segment + 1),
                      end = segment + 1 < width ? word(stream, segment + 2) : stream.size();
    if (begin < kHeader || begin > end || end > stream.size())
      broken(fmt::format("segment {} lies from byte {} to {} of {}", segment, begin, end, stream.size()));
    unpack(stream.subspan(begin, end - begin), cells.data() + (width - 1 - segment), width, count);
  }
}

}  // namespace strata::io::dicom
