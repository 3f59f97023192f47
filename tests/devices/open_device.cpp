// SPDX-License-Identifier: Apache-2.0
//
// Ranks with CUDA devices for tests/support/ranks.hpp: on a machine without one every test of the program is skipped.
#include "backends/cuda/cuda.hpp"
#include "parallel/comm/device_world.hpp"
#include "parallel/comm/nccl.hpp"
#include "parallel/comm/staged.hpp"
#include "parallel/comm/wrapper.hpp"
#include "tests/devices/device_kernels.hpp"
#include "tests/support/ranks.hpp"

namespace strata::testing {
namespace {

// Threads take devices one by one; processes as their launcher counts them, so that several may share one.
DeviceRank open(comm::Communicator& carrier, const std::string& transport) {
  const auto count = static_cast<int>(cuda_devices().devices.size());
  const int device = launch().mpi_world != nullptr ? -1 : carrier.rank() % count;
  auto backend = make_cuda_backend({.device = device});
  if (transport == "nccl") return {backend, comm::make_nccl(comm::borrowed(carrier), backend)};
  STRATA_CHECK(transport == "staged", usage, "devices", "--device is nccl or staged");
  return {backend,
          comm::make_staged(comm::borrowed(carrier), backend,
                            {[backend](std::size_t bytes) { return take_pinned(*backend, bytes); }, give_pinned})};
}

const bool kReady = [] {
  launch().open_device = open;
  launch().device_kernels = device_kernels;
  if (const CudaDevices found = cuda_devices(); found.devices.empty())
    launch().why_no_device = "no CUDA device: " + found.why_none;
  return true;
}();

}  // namespace
}  // namespace strata::testing
