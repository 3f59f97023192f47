// SPDX-License-Identifier: Apache-2.0
//
// The one place where return codes of NCCL, and of what its transport asks of CUDA, are read. STRATA_NCCL(ncclXyz(...))
// throws a communication error with the call and NCCL's own sentence; "in progress" is no error.
#pragma once

#include <nccl.h>

#include <source_location>
#include <string>
#include <string_view>

#include "strata/base/error.hpp"

namespace strata::comm {

// "unhandled system error: ...", with what NCCL said last where it said something.
std::string describe(ncclResult_t code);

void check_nccl(ncclResult_t code, std::string_view expression,
                std::source_location where = std::source_location::current());
void check_cuda(cudaError_t code, std::string_view expression,
                std::source_location where = std::source_location::current());

}  // namespace strata::comm

#define STRATA_NCCL(call) ::strata::comm::check_nccl((call), #call)
#define STRATA_NCCL_CUDA(call) ::strata::comm::check_cuda((call), #call)
