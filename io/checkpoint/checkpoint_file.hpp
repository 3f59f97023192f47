// SPDX-License-Identifier: Apache-2.0
//
// A checkpoint without its tensors' bytes: the header in its first 4096 bytes, HDF5's structures and the tables behind
// it (docs/checkpoint_format.md). Reading believes the file step by step: its size, the checksum of everything but the
// tensors, then HDF5's structures, then each name, type, extent and address.
#pragma once

#include <string>

#include "io/checkpoint/table.hpp"
#include "io/hdf5/sparse_image.hpp"
#include "strata/io/file.hpp"

namespace strata::io {

inline constexpr std::uint64_t kCheckpointHeader = 4096;
inline constexpr std::uint64_t kLargestCheckpointTables = std::uint64_t{1} << 30;
inline constexpr std::size_t kLongestTensorName = 1024;

// The file's skeleton in memory, without checksums yet.
struct CheckpointSkeleton {
  CheckpointTable table = {};
  hdf5::SparseImage image = {};
  std::uint64_t checksums_at = 0;
};

// Of tensors (names, types, shapes, in the order of names) and texts; addresses are set here. Usage error for names and
// texts that cannot be stored.
CheckpointSkeleton make_skeleton(CheckpointTable table);

// The bytes [0, data_at), header included, and [data_end, bytes), once all checksums are known.
struct CheckpointEnds {
  std::string front, back;
};
CheckpointEnds ends_of(CheckpointSkeleton& skeleton);

// Everything but the tensors. Damage: data error.
CheckpointTable read_checkpoint_table(const InputFile& file);

}  // namespace strata::io
