// SPDX-License-Identifier: Apache-2.0
//
// Ways to bring slabs of scans into memory. Requests arrive checked.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/shard/set_tables.hpp"
#include "io/shard/shard_set.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::io {

class VoxelReader {
 public:
  virtual ~VoxelReader() = default;
  // Direct and independent: any thread. Collective: all ranks together.
  virtual void read(std::span<const data::ReadRequest> requests) const = 0;
};

// What all readers know of a set. Must live longer than they.
struct SetPlace {
  std::string folder;
  const std::vector<ShardSummary>* shards;
  const SetTables* tables;
  std::int64_t open_files;

  std::string path(std::int64_t shard) const;
  std::string scan_name(std::int64_t study, std::int64_t scan) const;  // "scan 3 of study 'ab12'"
};

std::unique_ptr<VoxelReader> make_direct_reader(const SetPlace& place);
std::unique_ptr<VoxelReader> make_independent_reader(const SetPlace& place);
// Keeps a group of its own. `comm` talks over MPI: usage error otherwise.
std::unique_ptr<VoxelReader> make_collective_reader(const SetPlace& place, comm::Communicator& comm);

// Collective: times each way that is possible here on scans of this set and returns the fastest, the same on all ranks.
ReadMode probe_readers(const SetPlace& place, comm::Communicator& comm);

}  // namespace strata::io
