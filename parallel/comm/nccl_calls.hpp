// SPDX-License-Identifier: Apache-2.0
//
// Calls as NCCL has them: what it cannot do is refused, what it has no call for (uneven parts, blocks for each rank) is
// put together from what it has.
#pragma once

#include <nccl.h>

#include "strata/comm/call.hpp"
#include "strata/runtime/backend.hpp"

namespace strata::comm {

// Where a call goes.
struct NcclTarget {
  ncclComm_t comm;  // nullptr in a group of one
  int rank, size;
  Backend& backend;
  const Stream& stream;
  cudaStream_t native;
};

// Usage error for what NCCL has not: reductions of i16, tags, tensors in two places. Of calls on device tensors.
void check_nccl_can(const Call& call, int rank);

// Puts the call on the stream. Inside ncclGroupStart and ncclGroupEnd: these begin together what belongs together.
void issue(const Call& call, const NcclTarget& target);

}  // namespace strata::comm
