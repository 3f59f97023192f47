// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a file from front to back, inflated on the way when it is a gzip file (RFC 1952; several members in a
// row are one stream). Never holds more than a piece. Private to this folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "strata/io/file.hpp"

namespace strata::io {

class ByteSource {
 public:
  explicit ByteSource(const InputFile& file);  // the caller keeps the file alive
  ~ByteSource();

  bool compressed() const;
  std::uint64_t position() const;  // of the next byte, after inflation

  // What may still come at most. Exact for a plain file; for gzip what deflate can make of the file's size, 1032:1.
  std::uint64_t most_left() const;

  void read(std::span<std::byte> into);              // fewer bytes left: data error
  std::size_t read_some(std::span<std::byte> into);  // as many as there are; damaged gzip: data error
  void skip(std::uint64_t bytes);
  std::uint64_t drain();  // to the end, which verifies the checksum of gzip; the number of bytes that were left

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace strata::io
