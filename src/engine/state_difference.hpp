// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "strata/io/checkpoint_store.hpp"

namespace strata::engine {

// What keeps a stored state from being read into this one: names that are missing, types and shapes that differ, and
// `unwanted` stored names; empty: nothing. The first few of each, with their number and a near name.
std::string state_difference(const io::StoredCheckpoint& stored, const StateDict& wanted,
                             const std::vector<std::string>& unwanted);

}  // namespace strata::engine
