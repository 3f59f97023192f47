// SPDX-License-Identifier: Apache-2.0
//
// Short texts between ranks, for messages to people.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

// Collective; waits. Every rank's text, by rank.
std::vector<std::string> gather_texts(Communicator& communicator, std::string_view text);

// "rank 0, 2 called x; rank 1 called y", or empty when all texts are the same.
std::string differing_texts(const std::vector<std::string>& texts);

}  // namespace strata::comm
