// SPDX-License-Identifier: Apache-2.0
//
// Ends a job that hangs, and says on what: a call that is not complete after the deadline is logged (operation, its
// number, group, rank, bytes, for how long) and the job aborted. One thread a rank looks at the calls in flight of all
// groups split from the wrapped one; asking them also makes them progress. Costs a lock a call. Choose a deadline well
// above the longest honest wait (a rank that loads, evaluates or writes a checkpoint).
#pragma once

#include <chrono>
#include <memory>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

std::unique_ptr<Communicator> make_watchdog(std::shared_ptr<Communicator> inner, std::chrono::milliseconds deadline);

}  // namespace strata::comm
