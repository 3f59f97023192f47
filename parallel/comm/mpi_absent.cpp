// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/mpi.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

[[noreturn]] void refuse() {
  fail(ErrorKind::environment, "mpi", "this build has no MPI transport",
       "install libopenmpi-dev and openmpi-bin, and configure again with -DSTRATA_MPI=ON");
}

}  // namespace

bool launched_by_mpi() { return false; }
std::string mpi_description() { return "not built"; }
bool mpi_is_built() { return false; }

MpiJob::MpiJob(MpiOptions options) : options_(options), exceptions_(0) { refuse(); }
MpiJob::~MpiJob() = default;
bool MpiJob::all_failed(std::chrono::milliseconds, int, bool&) { refuse(); }
std::unique_ptr<Communicator> MpiJob::world() { refuse(); }
std::unique_ptr<Communicator> MpiJob::world(const MpiOptions&) { refuse(); }

}  // namespace strata::comm
