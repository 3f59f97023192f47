// SPDX-License-Identifier: Apache-2.0
//
// Which studies stand in which shard, and which rank prepares which study. Shards follow from the sources alone, never
// from the number of ranks; who does the work does not show in the result.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace strata::ingest {

struct PlannedStudy {
  std::string key;                // pseudonym; the order of a set is the order of its keys
  std::int64_t stored_bytes = 0;  // voxels it will have in a shard, at most
  std::int64_t work = 0;          // source voxels to decode
  int owner = 0;                  // rank that holds its headers
};

struct ShardRange {
  std::size_t begin = 0, end = 0;  // of the sorted studies
};

// Consecutive studies until a shard holds `bytes`; a study is never cut.
std::vector<ShardRange> cut_into_shards(std::span<const PlannedStudy> studies, std::int64_t bytes);

// A rank for each study: the largest work first, to the rank with the least so far (Graham's LPT rule: the last rank is
// done within 4/3 of the best time).
std::vector<int> deal(std::span<const PlannedStudy> studies, int ranks);

}  // namespace strata::ingest
