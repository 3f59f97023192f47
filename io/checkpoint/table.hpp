// SPDX-License-Identifier: Apache-2.0
//
// What stands where in a checkpoint: tensors by name, their parts of kPartBytes (the last one shorter) with a checksum
// each, texts. The parts follow one another in the file; segments are runs of them that one rank writes or reads in one
// call.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "strata/io/checkpoint_store.hpp"

namespace strata::io {

inline constexpr std::uint64_t kPartBytes = std::uint64_t{4} << 20;
inline constexpr std::int64_t kCheckpointSchema = 1;

struct TensorRow {
  std::string name = {};
  DType dtype = DType::f32;
  Shape shape = {};
  std::uint64_t address = 0;  // in the file; of a tensor without elements: 0
  std::uint64_t first_part = 0;

  std::uint64_t bytes() const { return static_cast<std::uint64_t>(shape.numel()) * size_of(dtype); }
  std::uint64_t parts() const { return (bytes() + kPartBytes - 1) / kPartBytes; }
};

struct CheckpointTable {
  std::int64_t step = 0;
  std::uint64_t bytes = 0;                    // of the file
  std::uint64_t data_at = 0;                  // the first tensor's address
  std::uint64_t data_end = 0;                 // and the last one's end; tables lie before and behind, never between
  std::vector<TensorRow> tensors = {};        // by name; addresses ascend
  std::vector<std::uint64_t> checksums = {};  // of each part
  CheckpointTexts texts = {};

  void number_parts();                                  // sets first_part of all, and as many checksums (0)
  std::size_t index_of(const std::string& name) const;  // tensors.size(): none
};

// Elements [begin, end) of a tensor.
struct Part {
  std::size_t tensor = 0;
  std::uint64_t number = 0;  // of all parts
  std::int64_t begin = 0, end = 0;
  std::uint64_t at = 0, bytes = 0;  // in the file
};

struct Segment {
  std::vector<Part> parts = {};
  std::uint64_t at = 0, bytes = 0;  // from the first part's beginning to the last one's end
};

// All parts of the wanted tensors (one byte each, 0: not wanted; empty: all), in order; segments are at most kPartBytes
// long.
std::vector<Segment> segments_of(const CheckpointTable& table, std::span<const std::uint8_t> wanted = {});

std::string pack_table(const CheckpointTable& table);
CheckpointTable unpack_table(const std::string& packed);

}  // namespace strata::io
