// SPDX-License-Identifier: Apache-2.0
//
// What strata inspect says of a set of shards, as JSON and as text for people.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/shard/shard_set.hpp"

namespace strata::app {

// Damaged scans by shard; nothing: not verified.
using Verification = std::optional<std::vector<std::vector<std::string>>>;

nlohmann::ordered_json report_set(const io::ShardSet& set, const Verification& verified);
nlohmann::ordered_json report_study(const io::ShardSet& set, std::int64_t study);

std::string size_text(double bytes);  // "1.5 MiB"
std::string set_text(const nlohmann::ordered_json& report);
std::string study_text(const nlohmann::ordered_json& report);

}  // namespace strata::app
