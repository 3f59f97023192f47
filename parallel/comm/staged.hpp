// SPDX-License-Identifier: Apache-2.0
//
// Device tensors over a host transport: a call copies its input to host memory (and waits for its stream to come
// there), the carrier does its work, and the result is copied back when somebody asks the event. What for: ranks with
// devices where NCCL is not, and a second opinion where it is. When not: speed; nothing overlaps, and memory twice the
// call's lies on the host. Host tensors go to the carrier as they are. Everything else (order, tags, types, errors,
// determinism) is the carrier's.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "strata/comm/communicator.hpp"
#include "strata/runtime/backend.hpp"

namespace strata::comm {

// Page-locked memory, through which devices copy faster: `take` answers nullptr when there is no more. Empty: plain
// memory.
struct StagingMemory {
  std::function<void*(std::size_t bytes)> take;
  std::function<void(void* data)> give;
};

std::unique_ptr<Communicator> make_staged(std::shared_ptr<Communicator> carrier, std::shared_ptr<Backend> backend,
                                          const StagingMemory& memory = {});

}  // namespace strata::comm
