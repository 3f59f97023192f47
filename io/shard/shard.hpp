// SPDX-License-Identifier: Apache-2.0
//
// Study shards, the writing side: many studies a file, parallel HDF5 with the voxels of all scans in one
// early-allocated dataset, written by all ranks at once. A set is a folder of shards and a manifest.
// docs/shard_format.md describes every byte. When not: DICOM or NIfTI (strata ingest makes shards of them), checkpoints
// (io/checkpoint).
//
// Whole or not at all: a shard is written under a temporary name, flushed and renamed; the manifest comes last, in the
// same way. What a killed or failed ingest leaves is a set without a manifest, whose finished shards are whole; a
// leftover temporary file is written over by the next attempt. The bytes of a shard depend on its studies and their
// positions alone: not on the number of ranks, not on the time.
//
// Cost: rank 0 gathers the tables (about 100 bytes and the report a study, 300 bytes and a pseudonym a slice a scan);
// voxels go from each rank to the file once. All functions here are called by all ranks of `comm`, and on failure all
// ranks throw the same error. Errors: usage for studies that do not fit the description, environment for the file
// system.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"
#include "strata/study/scan.hpp"

namespace strata::io {

inline constexpr std::int64_t kShardSchema = 1;

// What all shards of a set share, byte for byte.
struct SetDescription {
  study::StoredGrid grid;
  std::vector<std::string> label_names;
  std::string profile;  // canonical text of the ingest profile
  bool operator==(const SetDescription&) const = default;
};

struct ShardSummary {
  std::int64_t number = 0;  // in the set, from 0
  std::string file;         // its name within the folder
  std::int64_t studies = 0, scans = 0, bytes = 0;
  std::uint64_t tables_checksum = 0;  // XXH3 of all of the file but voxels and header
  bool operator==(const ShardSummary&) const = default;
};

// "shard-000012.h5"
std::string shard_file(std::int64_t number);

// Collective. Writes folder/shard_file(number), over an older one if there is one. `my_positions[i]` is the place of
// mine[i] in the shard; over all ranks the positions are 0 .. studies-1, each once, one study at least. Every scan lies
// on the description's grid. A rank may have none. The folder exists, and all ranks see the same one.
ShardSummary write_shard(comm::Communicator& comm, const std::string& folder, std::int64_t number,
                         const SetDescription& description, std::span<const study::StoredStudy> mine,
                         std::span<const std::int64_t> my_positions);

// Not collective. The whole shards in a folder, by number, to continue an ingest: sizes and the checksums of headers
// and tables are right (voxels are not read). Files that are none are passed over: they will be written again.
std::vector<ShardSummary> finished_shards(const std::string& folder);

// What the shard was written with: lets an ingest that continues see that its profile is another. Not collective.
SetDescription describe_shard(const std::string& path);

// Collective. Checks that shards 0 .. shards-1 are finished, share one description and hold no study twice (data error
// that names them), removes leftover temporary files and writes folder/manifest.json. Nothing may be written after.
void finish_set(comm::Communicator& comm, const std::string& folder, std::int64_t shards);

// Has the folder a manifest, so that an ingest into it is done?
bool is_finished_set(const std::string& folder);

}  // namespace strata::io
