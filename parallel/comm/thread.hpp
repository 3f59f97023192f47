// SPDX-License-Identifier: Apache-2.0
//
// Ranks as threads of one process: for tests of everything that talks between ranks, with sanitizers and a debugger,
// without a launcher. Not for speed: the last rank to arrive does a call's whole work. A call has no effect before all
// its ranks have issued it, so who reads a result without waiting mostly finds the old values, and a test sees the
// mistake.
//
// Nothing hangs: ranks that call different things get an error that names them; a rank that throws ends the run, one
// that returns fails the calls that need it; a call that is still incomplete after the deadline fails. Deterministic:
// sums in rank order.
#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

struct ThreadOptions {
  std::chrono::milliseconds deadline{60'000};  // of one wait; 0: none
  std::string name = "world";
};

// Runs `body` once a rank, each on a thread of its own, and waits for all. What each rank threw, by rank; nullptr where
// it returned.
std::vector<std::exception_ptr> run_thread_ranks(int ranks, const std::function<void(Communicator&)>& body,
                                                 const ThreadOptions& options = {});

// The same, but throws what the first failing rank threw (errors caused by that one, in other ranks, are not it).
void run_thread_ranks_or_throw(int ranks, const std::function<void(Communicator&)>& body,
                               const ThreadOptions& options = {});

}  // namespace strata::comm
