// SPDX-License-Identifier: Apache-2.0
//
// How a host thread waits for what only answers questions (an MPI request, a device's event): ranks may share cores, so
// it must not spin for long.
#pragma once

#include <chrono>
#include <functional>

namespace strata::comm {

// Asks `done` until it says yes: gives way at first, then sleeps between questions. False: the deadline (0: none) came
// first.
bool poll_until(const std::function<bool()>& done, std::chrono::milliseconds deadline = {});

}  // namespace strata::comm
