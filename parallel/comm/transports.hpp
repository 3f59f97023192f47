// SPDX-License-Identifier: Apache-2.0
//
// What this build can talk over, and how a program opens it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::comm {

struct TransportEntry {
  std::string name;
  bool built = false;
  std::string detail;  // for people
};

std::vector<TransportEntry> transport_table();

// Another rank reports the same failure: end with its code and say nothing.
class ReportedElsewhere : public Error {
 public:
  explicit ReportedElsewhere(const Error& error) : Error(error) {}
};

// Runs `body` over all ranks of this program: over MPI when a launcher started it and MPI is built, alone otherwise.
// Throwing on one rank of several ends all of them (the reason is printed). When all ranks throw, as they do where they
// fail together, the first rethrows its error and those with an error of the same kind ReportedElsewhere.
void run_world(const std::function<void(Communicator& world)>& body);

}  // namespace strata::comm
