// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "parallel/comm/mpi.hpp"
#include "parallel/comm/mpi_check.hpp"
#include "parallel/comm/mpi_communicator.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

// Open MPI lets blocked ranks spin without giving way unless told so, which costs milliseconds a call where ranks share
// cores. Our own waits poll; this is for the few calls that cannot be polled (init, split, finalize). A setting of the
// user's stays.
void set_launcher_defaults() { setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0); }

bool flag_of(int (*query)(int*)) {
  int flag = 0;
  query(&flag);
  return flag != 0;
}

}  // namespace

bool launched_by_mpi() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

std::string mpi_description() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string whole(text.data(), static_cast<std::size_t>(length));
  return whole.substr(0, whole.find(','));
}

bool mpi_is_built() { return true; }

MpiJob::MpiJob(MpiOptions options) : options_(options), exceptions_(std::uncaught_exceptions()) {
  STRATA_CHECK(options.largest_piece > 0 && options.largest_piece <= std::int64_t{1} << 30, usage, "mpi",
               fmt::format("pieces of {} elements", options.largest_piece), "use 1 to 2^30");
  STRATA_CHECK(!flag_of(MPI_Initialized) && !flag_of(MPI_Finalized), environment, "mpi",
               "MPI was started by somebody else, or has ended", "make one MpiJob in main()");
  set_launcher_defaults();
  int provided = MPI_THREAD_SINGLE;
  STRATA_MPI(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided));
  STRATA_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
  if (provided < MPI_THREAD_MULTIPLE) {
    MPI_Finalize();
    fail(ErrorKind::environment, "mpi",
         fmt::format("{} does not allow calls from several threads (level {})", mpi_description(), provided),
         "use an MPI built with MPI_THREAD_MULTIPLE");
  }
}

MpiJob::~MpiJob() {
  if (failed_together_) {
    MPI_Finalize();
    return;
  }
  if (std::uncaught_exceptions() > exceptions_) {
    fmt::print(stderr, "[mpi] an exception leaves the MPI job: the other ranks are ended\n");
    std::fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(ErrorKind::communication));
  }
  // MPI_Finalize waits for all, spinning: wait by polling first. A rank that never comes meets the deadline and ends
  // the job.
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  const auto done = [&request] {
    int flag = 0;
    MPI_Test(&request, &flag, MPI_STATUS_IGNORE);
    return flag != 0;
  };
  if (!poll_until(done, options_.deadline)) {
    fmt::print(stderr, "[mpi] a rank has not ended after {} ms: the job is ended\n", options_.deadline.count());
    std::fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(ErrorKind::timeout));
  }
  MPI_Finalize();
}

// On MPI_COMM_WORLD, which nothing else uses: worlds are duplicates of it.
bool MpiJob::all_failed(std::chrono::milliseconds grace, int code, bool& speaks) {
  int rank = 0, size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  std::vector<int> codes(static_cast<std::size_t>(size));
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Iallgather(&code, 1, MPI_INT, codes.data(), 1, MPI_INT, MPI_COMM_WORLD, &request);
  const auto done = [&request] {
    int flag = 0;
    MPI_Test(&request, &flag, MPI_STATUS_IGNORE);
    return flag != 0;
  };
  if (!poll_until(done, grace)) return false;
  failed_together_ = true;
  speaks = std::find(codes.begin(), codes.end(), code) - codes.begin() == rank;
  return true;
}

std::unique_ptr<Communicator> MpiJob::world() { return world(options_); }

std::unique_ptr<Communicator> MpiJob::world(const MpiOptions& options) {
  MPI_Comm comm = MPI_COMM_NULL;
  STRATA_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &comm));
  return std::make_unique<MpiCommunicator>(comm, "world", options, std::make_shared<MpiReductions>());
}

}  // namespace strata::comm
