// SPDX-License-Identifier: Apache-2.0
//
// One shard: the header in its first 4096 bytes (docs/shard_format.md), and the way from a path to checked tables. The
// file is believed step by step: its size, the checksum of everything but the voxels, then HDF5's structures, then each
// count and offset. Voxels are not read here.
#pragma once

#include <cstdint>
#include <string>

#include "io/hdf5/sparse_image.hpp"
#include "io/shard/tables.hpp"
#include "strata/io/file.hpp"

namespace strata::io {

inline constexpr std::uint64_t kHeaderBytes = 4096;
inline constexpr std::uint64_t kLargestTables = std::uint64_t{1} << 30;  // of one shard; larger ones are refused

struct ShardHeader {
  std::int64_t schema = kShardSchema;
  std::uint64_t bytes = 0;                        // of the file
  std::uint64_t voxels_at = 0, voxels_bytes = 0;  // where the voxels lie
  std::uint64_t tables_checksum = 0;              // of all other bytes from 4096 on, in order
  std::int64_t studies = 0, scans = 0;
  bool operator==(const ShardHeader&) const = default;
};

std::string write_header(const ShardHeader& header);  // kHeaderBytes bytes
ShardHeader read_header(const InputFile& file);       // data error unless it fits the file

// The checksum of an image's bytes from kHeaderBytes on, but for the voxels.
std::uint64_t tables_checksum(const hdf5::SparseImage& image, const ShardHeader& header);

struct ShardContents {
  ShardHeader header;
  SetDescription description;
  ShardTables tables;
};

ShardContents read_shard(const InputFile& file);  // everything but the voxels
SetDescription read_shard_description(const InputFile& file);
ShardHeader check_shard(const InputFile& file);  // header and checksum of the tables only

}  // namespace strata::io
