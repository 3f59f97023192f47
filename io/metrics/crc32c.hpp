// SPDX-License-Identifier: Apache-2.0
//
// CRC-32C (Castagnoli, polynomial 0x1EDC6F41, RFC 3720 section 12.1), byte by byte: for records of a few hundred bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace strata::io {

std::uint32_t crc32c(std::string_view bytes);

// As TFRecord files store it: rotated and shifted, so that the checksum of data that holds checksums stays a good one.
std::uint32_t masked_crc32c(std::string_view bytes);

}  // namespace strata::io
