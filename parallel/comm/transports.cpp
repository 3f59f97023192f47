// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/transports.hpp"

#include "parallel/comm/local.hpp"
#include "parallel/comm/mpi.hpp"
#include "parallel/comm/nccl.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

// Ranks that fail together fail at nearly the same time; one that fails alone is not waited for much longer.
constexpr std::chrono::milliseconds kGrace{2000};

}  // namespace

std::vector<TransportEntry> transport_table() {
  return {{"local", true, "one rank"},
          {"thread", true, "ranks as threads of one process (tests)"},
          {"mpi", mpi_is_built(), mpi_description()},
          {"nccl", nccl_is_built(), nccl_description()},
          {"staged", true, "device tensors through host memory, over any of the others"}};
}

void run_world(const std::function<void(Communicator& world)>& body) {
  if (!mpi_is_built() || !launched_by_mpi()) return body(*make_local());
  MpiJob job;
  const auto world = job.world();
  set_thread_rank_label(world->rank());
  try {
    body(*world);
  } catch (const Error& error) {
    if (world->size() == 1) throw;
    bool speaks = true;
    if (!job.all_failed(kGrace, error.exit_code(), speaks)) world->abort(error.what());
    if (speaks) throw;
    throw ReportedElsewhere(error);
  } catch (const std::exception& error) {
    if (world->size() > 1) world->abort(error.what());
    throw;
  }
}

}  // namespace strata::comm
