// SPDX-License-Identifier: Apache-2.0
//
// What a collective means, on host memory that one thread can see: given the calls of all ranks, does the whole
// exchange. The thread transport runs on it and other transports are judged against it. One pass over the data; sums in
// rank order, ((x0 + x1) + x2) + ...
#pragma once

#include <span>

#include "strata/comm/call.hpp"

namespace strata::comm {

// calls[r] is rank r's; they agree (see `disagreement`). In place where `check_call` allows it.
void perform_on_host(std::span<const Call> calls);

// The elements' bytes of one dense host tensor to another of the same size; nothing when both are the same memory.
void copy_on_host(const Tensor& to, const Tensor& from);

}  // namespace strata::comm
