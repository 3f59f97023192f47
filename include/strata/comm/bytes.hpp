// SPDX-License-Identifier: Apache-2.0
//
// Texts between the ranks of a group: for what is irregular and small beside tensors (lists of files, headers, lines of
// a report). Collective; every call waits. Lengths may differ from rank to rank and may be 0. Twice the memory of what
// is sent and got.
#pragma once

#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

// Every rank's text, by rank, on every rank.
std::vector<std::string> gather_texts(Communicator& group, const std::string& mine);

// texts[r] goes to rank r; what came from each rank is returned. Not one text a rank: usage error.
std::vector<std::string> exchange_texts(Communicator& group, const std::vector<std::string>& texts);

// The root's text, on every rank.
std::string broadcast_text(Communicator& group, std::string text, int root = 0);

}  // namespace strata::comm
