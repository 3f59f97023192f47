// SPDX-License-Identifier: Apache-2.0
//
// Records the calls that go through a communicator and the groups split from it, so that a test can prove that all
// ranks of a group issued the same sequence, or a person can read what a step sends. Costs a formatted line a call; not
// for production runs.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

struct TraceEntry {
  std::string group;
  std::int64_t number = 0;  // of this rank's calls on the group
  CallKind kind = CallKind::barrier;
  std::string call;  // collectives: what all ranks must say alike
  std::int64_t bytes = 0;
};

// Of one rank. Shared by the wrappers of all its groups; thread-safe.
class Trace {
 public:
  void record(TraceEntry entry);
  std::vector<TraceEntry> entries() const;
  std::vector<std::string> collectives(std::string_view group) const;
  std::int64_t bytes() const;  // of all calls
  std::string str() const;     // a line a call

 private:
  mutable std::mutex mutex_;
  std::vector<TraceEntry> entries_;
};

std::unique_ptr<Communicator> make_tracing(std::shared_ptr<Communicator> inner, std::shared_ptr<Trace> trace);

// Collective, over any communicator whose ranks each hold a trace: communication error, on all ranks, that names the
// first collective of the traced group in which they differ.
void expect_same_sequence(Communicator& communicator, const Trace& trace, std::string_view group);

}  // namespace strata::comm
