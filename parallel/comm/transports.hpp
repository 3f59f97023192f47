// SPDX-License-Identifier: Apache-2.0
//
// What this build can talk over, and how a program opens it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

struct TransportEntry {
  std::string name;
  bool built = false;
  std::string detail;  // for people
};

std::vector<TransportEntry> transport_table();

// Runs `body` over all ranks of this program: over MPI when a launcher started it and MPI is built, alone otherwise.
// Throwing on one rank of several ends all of them (the reason is printed); alone, it throws.
void run_world(const std::function<void(Communicator& world)>& body);

}  // namespace strata::comm
