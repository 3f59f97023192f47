// SPDX-License-Identifier: Apache-2.0
//
// From the ranks of a program, which talk over host memory, to ranks that exchange what lies on their devices.
#pragma once

#include <memory>

#include "parallel/comm/staged.hpp"
#include "strata/comm/communicator.hpp"
#include "strata/runtime/backend.hpp"

namespace strata::comm {

enum class DeviceTransport : std::uint8_t { automatic, nccl, staged };  // automatic: NCCL where it is built

// Collective. Serves the world's host tensors and the backend's: the world itself where these are the same, a local
// communicator for one rank, NCCL or staged otherwise. The world outlives it. Environment error where NCCL is wanted
// but not built, or cannot begin (on all ranks).
std::shared_ptr<Communicator> make_device_world(Communicator& world, std::shared_ptr<Backend> backend,
                                                DeviceTransport transport, const StagingMemory& memory = {});

}  // namespace strata::comm
