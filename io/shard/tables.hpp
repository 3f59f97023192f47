// SPDX-License-Identifier: Apache-2.0
//
// The tables of one shard as columns, and their way into a HDF5 file and back. docs/shard_format.md names each.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5/file.hpp"
#include "io/shard/shard.hpp"

namespace strata::io {

// n studies, S scans, R sentences, I instances, L labels, C channels.
struct ShardTables {
  std::vector<std::string> key, patient, split;             // [n]
  std::vector<std::int64_t> fold;                           // [n]
  std::vector<std::int64_t> first_scan{0};                  // [n + 1]
  std::vector<std::int64_t> first_sentence{0};              // [n + 1]
  std::vector<float> labels;                                // [n, L]
  std::vector<std::int64_t> first_byte{0};                  // [R + 1] into text
  std::vector<std::uint8_t> text;                           // sentences one behind the other
  std::vector<std::string> series, modality, window;        // [S]
  std::vector<std::uint64_t> description_hash;              // [S]
  std::vector<std::uint64_t> checksum;                      // [S] of the voxels
  std::vector<std::int64_t> source_slices, missing_slices;  // [S]
  std::vector<std::int64_t> first_instance{0};              // [S + 1]
  std::vector<std::string> instances;                       // [I]
  std::vector<double> origin;                               // [S, 3]
  std::vector<double> steps;                                // [S, 3, 3]
  std::vector<double> intensity_scale, intensity_offset;    // [S, C]

  std::int64_t studies() const { return static_cast<std::int64_t>(key.size()); }
  std::int64_t scans() const { return static_cast<std::int64_t>(series.size()); }
  // Adds a study whose scans' voxels have these checksums.
  void add(const study::StoredStudy& study, std::span<const std::uint64_t> checksums);
  std::string sentence(std::int64_t number) const;
};

inline constexpr std::size_t kLongestName = 256;  // bytes of a pseudonym, a split, a modality, a window, a label name

// Everything but the voxels' values; they have been allocated when it returns.
hdf5::Dataset write_tables(hdf5::File& file, const SetDescription& description, const ShardTables& tables);

// Data errors for anything that does not fit together. No column may have more than `limit` bytes.
SetDescription read_description(const hdf5::File& file, std::uint64_t limit);
ShardTables read_tables(const hdf5::File& file, const SetDescription& description, std::uint64_t limit);
std::int64_t scans_in(const hdf5::File& file);

}  // namespace strata::io
