// SPDX-License-Identifier: Apache-2.0
//
// What ranks must know of each other before NCCL begins, and what follows from it: who is where, whether all have the
// same NCCL, and which ranks share a device. Rules on plain values, so that they are tested without devices.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

struct RankPlace {
  int version = 0;  // of NCCL
  std::string host;
  std::int64_t process = 0;
  std::string device;  // its address on the bus
};

// Why NCCL cannot serve these ranks; empty: it can.
std::string obstacle(const std::vector<RankPlace>& places);
// Ranks below this one on the same device of the same host.
int sharers_before(const std::vector<RankPlace>& places, int rank);
bool devices_are_shared(const std::vector<RankPlace>& places);

// Collective; waits. Asks all ranks, judges (the same environment error on all), and sets what NCCL reads from the
// environment at its first call, where the user has not. `device`: CUDA's number.
void prepare_devices(Communicator& carrier, int device);

}  // namespace strata::comm
