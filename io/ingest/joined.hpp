// SPDX-License-Identifier: Apache-2.0
//
// The table of reports and labels beside the studies that were found: what each study gets from it, and what did not
// match. The same on every rank.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/ingest/ingest.hpp"

namespace strata::ingest {

struct FoundIds {
  std::string key;      // the study's pseudonym
  std::string patient;  // pseudonym; empty: not known
  study::StudyIds ids;
};

// Facts of each study; nothing: it is left out. What did not match goes to the report. Studies of one patient always
// stand in one split.
std::vector<std::optional<Facts>> joined_facts(const Tables& tables, std::span<const FoundIds> studies,
                                               const io::IdentityKey& key, Report& report);

}  // namespace strata::ingest
