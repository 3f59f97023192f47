// SPDX-License-Identifier: Apache-2.0
//
// The one place where MPI's return codes are read. STRATA_MPI(MPI_Xyz(...)) throws a communication error with rank,
// call and MPI's own sentence.
#pragma once

#include <mpi.h>

#include <source_location>

namespace strata::comm {

void check_mpi(int code, const char* expression, std::source_location where = std::source_location::current());

}  // namespace strata::comm

#define STRATA_MPI(call) ::strata::comm::check_mpi((call), #call)
