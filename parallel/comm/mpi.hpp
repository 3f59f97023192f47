// SPDX-License-Identifier: Apache-2.0
//
// Ranks as processes started by mpirun or srun, on host memory. Standard MPI 3.1 calls only. Also the way by which
// other transports find each other (a broadcast carries NCCL's id). When not: GPU memory (NCCL), tests that need no
// launcher (thread).
//
// Waiting. Every wait polls with MPI_Test, gives way, and after a while sleeps: ranks may share cores, and threads of a
// rank may wait at once. Nothing progresses while nobody asks: overlap needs somebody who asks events `ready()` every
// few milliseconds. A wait that passes the deadline throws a timeout error that names the operation.
//
// Failure. MPI cannot go on without a dead rank: a rank that fails calls abort(), which ends the whole job. MpiJob does
// so when it is left by an exception, so a throw on one rank never leaves the others hanging.
//
// bf16 is added pairwise in f32 and rounded each time (a user-defined MPI_Op). Counts may exceed 2^31.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

struct MpiOptions {
  std::chrono::milliseconds deadline{0};  // of one wait; 0: none
  // Longest piece handed to one MPI call. Below 2^31; small values let tests walk the path of huge tensors.
  std::int64_t largest_piece = std::int64_t{1} << 30;
};

// Was this process started by an MPI launcher (mpirun, srun --mpi=pmix)?
bool launched_by_mpi();
// "Open MPI v4.1.4, ..." or why there is none.
std::string mpi_description();
bool mpi_is_built();

// Owns MPI_Init_thread (MPI_THREAD_MULTIPLE) and MPI_Finalize; one a process, made by main(). Left by an exception it
// aborts the job instead.
class MpiJob {
 public:
  explicit MpiJob(MpiOptions options = {});  // environment error without MPI, or when MPI was started by somebody else
  ~MpiJob();
  MpiJob(const MpiJob&) = delete;
  MpiJob& operator=(const MpiJob&) = delete;

  // A communicator of its own (duplicated) over all processes; collective. Must die before the job.
  std::unique_ptr<Communicator> world();
  std::unique_ptr<Communicator> world(const MpiOptions& options);

  // After an error: do all ranks come here within `grace`, because all have one? True: the job then ends without an
  // abort, and `speaks` says whether this rank is the one to report (the first of those with this code).
  bool all_failed(std::chrono::milliseconds grace, int code, bool& speaks);

 private:
  MpiOptions options_;
  int exceptions_;
  bool failed_together_ = false;
};

}  // namespace strata::comm
