// SPDX-License-Identifier: Apache-2.0
//
// The frames of one file as little-endian cells of the header's size, whatever the encoding. Memory: the file if it is
// compressed, and one frame. Every failure is a data error.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "io/dicom/record.hpp"

namespace strata::io::dicom {

class FrameReader {
 public:
  explicit FrameReader(const FileRecord& record);  // the record may go away, the file may not
  ~FrameReader();
  FrameReader(FrameReader&&) noexcept;
  FrameReader& operator=(FrameReader&&) noexcept;

  // Valid until the next call.
  std::span<const std::byte> frame(std::int32_t index);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// A JPEG 2000 codestream (bare or in a JP2 file) of one component as cells (PS3.5 8.2.4).
void decode_jpeg2000(std::span<const std::byte> stream, const PixelLayout& pixels, std::span<std::byte> cells);

// A frame of run-length encoded cells.
void decode_rle(std::span<const std::byte> stream, const PixelLayout& pixels, std::span<std::byte> cells);

}  // namespace strata::io::dicom
