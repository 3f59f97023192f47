// SPDX-License-Identifier: Apache-2.0
//
// Study shards, the reading side: a finished set as a StudySource. Its condensed tables lie in memory (a study costs
// its report and about 200 bytes); what only people ask for (geometry, provenance) is read from the file when asked.
// Voxels are read from any number of threads by pread at the addresses in the file, HDF5 is not asked again; where the
// file system serves MPI-IO much better, HDF5's transfers may be taken instead (ReadMode).
//
// Nothing in a file is believed: its size, the checksum of its tables and every count and offset in them are checked
// when the set is opened, before anything is allocated by them. Damage is a data error that names file and scan.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/shard/shard.hpp"
#include "strata/data/study_source.hpp"

namespace strata::io {

// direct: pread. independent: H5Dread, one thread at a time. collective: H5Dread by all ranks together over MPI-IO (the
// source is then collective(), and needs the mpi transport). probe: measured on this set when it is opened, the same
// choice on all ranks; small sets are read directly. On one machine with a local disk a thread reads alike in the first
// two ways (the memory's speed when cached), two ranks together are a fifth slower; but direct reads alone run in many
// threads at once, so the probe leaves them only for what is half as fast again.
enum class ReadMode : std::uint8_t { probe, direct, independent, collective };
std::string_view name_of(ReadMode mode);
ReadMode parse_read_mode(std::string_view name);  // unknown name: usage error with the nearest one

struct ShardOptions {
  ReadMode mode = ReadMode::probe;
  bool verify = false;            // checksum of every scan that is read; a part of a scan then costs reading all of it
  std::int64_t open_files = 128;  // kept open at most
};

// A scan's row, for people and for strata view.
struct ScanRecord {
  std::string series, modality, window;
  std::vector<std::string> instances;
  study::Geometry geometry;
  std::vector<study::IntensityMap> intensity;  // [channels]
  std::uint64_t description_hash = 0, checksum = 0;
  std::int64_t source_slices = 0, missing_slices = 0;
};

class ShardSet : public data::StudySource {
 public:
  virtual const std::string& profile() const = 0;
  virtual const std::vector<ShardSummary>& shards() const = 0;
  virtual ReadMode mode() const = 0;  // what is used, never probe

  virtual std::optional<std::int64_t> find(std::string_view key) const = 0;  // the study with this pseudonym
  virtual std::int64_t shard_of(std::int64_t study) const = 0;
  virtual std::string_view patient(std::int64_t study) const = 0;
  virtual ScanRecord record(std::int64_t study, std::int64_t scan) const = 0;  // reads the file

  // The scans of one shard whose voxels do not give their checksum, as "scan 3 of study 'ab12…'"; empty: all is well.
  virtual std::vector<std::string> damaged_scans(std::int64_t shard) const = 0;
};

// Collective: each shard's tables are read by one rank and sent to the others. `path` is the folder of a finished set,
// or one shard, whether or not its set is finished. A folder without a manifest, or whose shards are not those of the
// manifest: data error.
std::unique_ptr<ShardSet> open_shards(const std::string& path, const ShardOptions& options, comm::Communicator& comm);

}  // namespace strata::io
