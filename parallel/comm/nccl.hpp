// SPDX-License-Identifier: Apache-2.0
//
// Ranks with a GPU each, on device memory, over NCCL. What for: gradients, features, whatever lies on devices. When
// not: host memory; a host communicator (MPI, or threads in tests) carries NCCL's id, agrees on failures, and takes the
// calls on host tensors and barriers, so that one communicator serves both kinds of memory.
//
// Order. A call waits for its stream, runs on the rank's one communication stream (of high priority, shared by all
// groups that come from this one), and its event is a point of that stream: `backend.wait(stream, event)` lets a stream
// go on behind it without the host. So calls on device tensors run one after the other in the order in which this rank
// makes them, of all groups together, and all ranks must make them in one order, whatever the group: a stricter promise
// than communicator.hpp asks for, which NCCL needs. Exchanges in both directions (send and recv between two ranks, a
// ring) belong into one batch; outside of it a send waits for its receiver, and everything behind it too. NCCL has no
// tags: messages on device tensors carry tag 0 and arrive in the order in which they were sent.
//
// start may wait for the others where NCCL makes connections, at the first calls of a kind. A stuck call, in there or
// on the device, is the watchdog's; asynchronous errors of NCCL are found by whoever asks an event, which ends NCCL's
// work on this rank (so that streams come free) and throws from every later call and event.
//
// Types: all but i16 for sums, max and min; every type where values only move. bf16 is rounded after each combination.
// Determinism: same bits on all ranks; the same in the next run on the same devices and NCCL. NCCL's sums inside
// NVLink switches do not promise that and are switched off (NCCL_NVLS_ENABLE=1 in the environment allows them).
//
// Several ranks of different processes may share a device (tests): NCCL is then told that they are different hosts,
// which is slow. Made at once by all ranks; what stands against it (no device, other versions, one device twice in a
// process, no connection) is one environment error on all of them.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "strata/comm/communicator.hpp"
#include "strata/runtime/backend.hpp"

namespace strata::comm {

struct NcclOptions {
  std::chrono::milliseconds creation{300'000};  // longest wait for all ranks of a group to connect
};

bool nccl_is_built();
std::string nccl_description();  // "NCCL 2.28.9", or why there is none

// Collective over the carrier. The backend computes on a CUDA device; usage error otherwise. Environment error where
// NCCL is not built.
std::unique_ptr<Communicator> make_nccl(std::shared_ptr<Communicator> carrier, std::shared_ptr<Backend> backend,
                                        const NcclOptions& options = {});

}  // namespace strata::comm
