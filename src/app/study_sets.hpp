// SPDX-License-Identifier: Apache-2.0
//
// Study shards as a configuration names them: which sets, which studies of each.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/run_config.hpp"
#include "io/shard/shard_set.hpp"
#include "strata/data/mixture.hpp"

namespace strata::app {

// Opens each set once, however often it is named. All ranks open the same sets in the same order. Must live while the
// group does.
class StudySets {
 public:
  explicit StudySets(comm::Communicator& world) : world_(world) {}

  const std::shared_ptr<const io::ShardSet>& open(const std::string& path);
  // The studies that the settings choose; `reports`: those with one alone.
  std::vector<data::WeightedSet> choose(const std::vector<SetSettings>& sets, bool reports);

 private:
  comm::Communicator& world_;
  std::map<std::string, std::shared_ptr<const io::ShardSet>> sets_;
};

// "set", "set:test", "set:val,test": a folder (which may hold a colon itself) and some of its splits.
SetSettings parse_set(const std::string& text);

}  // namespace strata::app
