// SPDX-License-Identifier: Apache-2.0
//
// Element types and reductions as MPI knows them. bf16 travels as 16-bit integers and is combined by operators of our
// own.
#pragma once

#include <mpi.h>

#include <array>

#include "strata/comm/call.hpp"

namespace strata::comm {

MPI_Datatype mpi_type(DType dtype);

// Lives as long as a communicator that may use it; made after MPI_Init, freed before MPI_Finalize.
class MpiReductions {
 public:
  MpiReductions();
  ~MpiReductions();
  MpiReductions(const MpiReductions&) = delete;
  MpiReductions& operator=(const MpiReductions&) = delete;

  MPI_Op op(Reduction reduction, DType dtype) const;

 private:
  std::array<MPI_Op, 3> bf16_{};  // by Reduction
};

}  // namespace strata::comm
