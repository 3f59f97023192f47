// SPDX-License-Identifier: Apache-2.0
//
// XXH3 of 64 bits, seed 0 (github.com/Cyan4973/xxHash, doc/xxhash_spec.md): against damage, not against malice. Faster
// than memory is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace strata::io {

std::uint64_t checksum_of(std::span<const std::byte> bytes);

class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  void add(std::span<const std::byte> bytes);
  std::uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// 16 lower-case hexadecimal digits, the most significant first.
std::string hex_of(std::uint64_t checksum);
std::optional<std::uint64_t> parse_hex(std::string_view text);

}  // namespace strata::io
