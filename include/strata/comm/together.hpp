// SPDX-License-Identifier: Apache-2.0
//
// Work that may fail on some ranks of a group alone (a full disk, a broken file), so that all go on or all stop: no
// rank waits for one that has left. Costs one small exchange.
#pragma once

#include <functional>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

// Collective; waits. Runs `work` on every rank. When it throws on any, all ranks throw the error of the first that did,
// with its rank in the message where the others throw it. Errors of communication pass through at once: the group is
// unusable then.
void together(Communicator& group, const std::function<void()>& work);

}  // namespace strata::comm
