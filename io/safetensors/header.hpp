// SPDX-License-Identifier: Apache-2.0
//
// The JSON header of a safetensors file: from text to checked entries, and back. Private to this folder and its tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/safetensors/safetensors.hpp"

namespace strata::io {

inline constexpr std::uint64_t kLargestSafetensorsHeader = 100'000'000;  // bytes; the limit of the format's own library

struct SafetensorsType {
  std::string_view name;
  std::size_t size;  // bytes an element
  std::optional<DType> dtype;
};

std::span<const SafetensorsType> safetensors_types();
const SafetensorsType& safetensors_type(DType dtype);

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  // by offset, contiguous from 0 to the end of the data
  SafetensorsMetadata metadata;
};

// `data_bytes` is what the file holds after the header; `path` is for messages.
SafetensorsHeader parse_header(std::string_view json, std::uint64_t data_bytes, const std::string& path);

// Length prefix and JSON, padded with blanks to a multiple of eight bytes. Entries must be contiguous from 0.
std::string build_header(const SafetensorsHeader& header);

}  // namespace strata::io
