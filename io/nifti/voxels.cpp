// SPDX-License-Identifier: Apache-2.0
#include "io/nifti/voxels.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "strata/base/error.hpp"

namespace strata::io {
namespace {

constexpr std::size_t kPieceBytes = 1 << 20;

template <class Word>
void swap_words(std::span<std::byte> bytes) {
  for (std::size_t at = 0; at + sizeof(Word) <= bytes.size(); at += sizeof(Word)) {
    Word word;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if constexpr (sizeof(Word) == 2)
      word = __builtin_bswap16(word);
    else if constexpr (sizeof(Word) == 4)
      word = __builtin_bswap32(word);
    else
      word = __builtin_bswap64(word);
    std::memcpy(bytes.data() + at, &word, sizeof word);
  }
}

void swap_elements(std::span<std::byte> bytes, std::size_t size) {
  if (size == 2) swap_words<std::uint16_t>(bytes);
  if (size == 4) swap_words<std::uint32_t>(bytes);
  if (size == 8) swap_words<std::uint64_t>(bytes);
}

template <class T>
T element(std::span<const std::byte> bytes, std::size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof value);
  return value;
}

template <class T>
std::int64_t convert(std::span<const std::byte> bytes, const NiftiHeader& header, std::span<float> to) {
  if (header.slope != 1 || header.intercept != 0) {
    for (std::size_t i = 0; i < to.size(); ++i)
      to[i] = static_cast<float>(static_cast<double>(element<T>(bytes, i)) * header.slope + header.intercept);
    return 0;
  }
  std::int64_t inexact = 0;
  for (std::size_t i = 0; i < to.size(); ++i) {
    const T value = element<T>(bytes, i);
    to[i] = static_cast<float>(value);
    // 64-bit integers beyond 2^53 are rounded twice here and may count as exact; beyond 2^24 they hardly come alone.
    if constexpr (std::is_integral_v<T> && sizeof(T) > 2)
      inexact += static_cast<double>(to[i]) != static_cast<double>(value) ? 1 : 0;
  }
  return inexact;
}

std::int64_t convert_type(std::span<const std::byte> bytes, const NiftiHeader& header, std::span<float> to) {
  switch (header.type) {
    case NiftiType::u8: return convert<std::uint8_t>(bytes, header, to);
    case NiftiType::i8: return convert<std::int8_t>(bytes, header, to);
    case NiftiType::i16: return convert<std::int16_t>(bytes, header, to);
    case NiftiType::u16: return convert<std::uint16_t>(bytes, header, to);
    case NiftiType::i32: return convert<std::int32_t>(bytes, header, to);
    case NiftiType::u32: return convert<std::uint32_t>(bytes, header, to);
    case NiftiType::i64: return convert<std::int64_t>(bytes, header, to);
    case NiftiType::u64: return convert<std::uint64_t>(bytes, header, to);
    case NiftiType::f32: return convert<float>(bytes, header, to);
    case NiftiType::f64: return convert<double>(bytes, header, to);
  }
  fail_assert("a voxel type of the table");
}

}  // namespace

std::int64_t read_voxels(ByteSource& source, const NiftiHeader& header, std::span<float> voxels) {
  const std::size_t size = size_of(header.type);
  std::vector<std::byte> piece(std::min(kPieceBytes, voxels.size() * size));
  std::int64_t inexact = 0;
  while (!voxels.empty()) {
    const auto part = voxels.first(std::min(voxels.size(), piece.size() / size));
    const auto bytes = std::span(piece).first(part.size() * size);
    source.read(bytes);
    if (header.swapped) swap_elements(bytes, size);
    inexact += convert_type(bytes, header, part);
    voxels = voxels.subspan(part.size());
  }
  return inexact;
}

}  // namespace strata::io
