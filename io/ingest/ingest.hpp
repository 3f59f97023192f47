// SPDX-License-Identifier: Apache-2.0
//
// From a hospital's files to a set of study shards, on any number of ranks: find files, read headers, bring each
// study's together, plan shards, then shard by shard read, prepare and write. The set is the same, bit for bit, on any
// number of ranks. It may be killed at any moment: what is finished is whole, and the same call goes on behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/ingest/prepare.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::ingest {

// What is known of studies beside their files.
struct Tables {
  std::optional<study::Records> records;
  bool only_with_record = false;  // studies without a row are left out
  std::optional<study::SplitShares> shares;
};

struct Job {
  std::vector<std::string> sources;        // folders and files
  std::vector<std::string> exclude;        // patterns of paths that are passed over (index.hpp)
  std::string set_folder, private_folder;  // shards; report and journal
  study::Profile profile;
  io::dicom::PlanOptions planning;
  study::Selection selection;
  io::IdentityKey key;
  Tables tables;
  std::int64_t shard_bytes = std::int64_t{512} << 20;  // voxels of a shard; all ranks together hold them for a while
};

// For whoever shows how far it is. Times are of this call alone.
struct Progress {
  enum class Stage { files, headers, studies } stage = Stage::files;
  std::int64_t done = 0, total = 0;  // files, headers of this rank, studies of all ranks
  std::int64_t shard = 0, shards = 0;
  bool resumed = false;  // shards were there already
};

struct Result {
  Tally tally;
  std::int64_t files = 0, shards = 0;
  bool already_finished = false;
  double header_seconds = 0, study_seconds = 0;
  std::int64_t studies_now = 0;  // prepared by this call
};

// Collective. Throws where the ingest cannot go on; what one file or study holds is no such reason, it is reported.
Result ingest(comm::Communicator& group, const Job& job, const std::function<void(const Progress&)>& progress);

}  // namespace strata::ingest
