// SPDX-License-Identifier: Apache-2.0
//
// manifest.json: what says that a set is complete, and what its shards are. Everything in it but the list of shards is
// for people and scripts; the shards themselves are the truth.
#pragma once

#include <string>
#include <vector>

#include "io/shard/shard.hpp"

namespace strata::io {

struct Manifest {
  std::int64_t studies = 0, scans = 0;
  std::vector<ShardSummary> shards;
};

Manifest parse_manifest(const std::string& path, const std::string& text);  // data errors
Manifest manifest_of_shard(const std::string& path);                        // as if its set had no other
std::string read_manifest_text(const std::string& folder);                  // no manifest: data error that says so

}  // namespace strata::io
