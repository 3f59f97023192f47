// SPDX-License-Identifier: Apache-2.0
//
// In what two configurations differ, for people: a run that is resumed with other settings.
#pragma once

#include <string>
#include <vector>

#include "strata/config/node.hpp"

namespace strata::config {

// Paths of what was changed, added or taken away, with both values: "optim.lr: 0.001 -> 0.0005". Lists count as one
// value.
std::vector<std::string> changes(const Node& before, const Node& after);

}  // namespace strata::config
