// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "app/wiring.hpp"
#include "backends/cuda/cuda.hpp"
#include "strata/base/error.hpp"
#include "strata/runtime/host_backend.hpp"

namespace strata::app {

bool cuda_is_built() { return true; }
bool cuda_has_device() { return !cuda_devices().devices.empty(); }

KernelTable cuda_kernels() { return make_cuda_table(); }

// Nothing stands behind its table: the reference works on host memory. An op it lacks is an error with the op's name.
WiredBackend wire_cuda(const BackendOptions& options) {
  STRATA_CHECK(!options.rehearsal, usage, "cuda", "a rehearsal runs on the host", "leave the backend out, or name cpu");
  return WiredBackend(make_cuda_backend({.device = options.device, .exact = options.exact}),
                      std::make_unique<KernelTable>(make_cuda_table()));
}

data::BufferMemory cuda_buffer_memory(const std::shared_ptr<Backend>& cuda) {
  return {[cuda](std::size_t bytes) { return take_pinned(*cuda, bytes); },
          [](void* data, std::size_t) { give_pinned(data); }};
}

comm::StagingMemory cuda_host_memory(const std::shared_ptr<Backend>& cuda) {
  return {[cuda](std::size_t bytes) { return take_pinned(*cuda, bytes); }, give_pinned};
}

std::vector<Fact> cuda_facts() {
  std::vector<Fact> facts{{"CUDA", cuda_libraries()}};
  const CudaDevices found = cuda_devices();
  if (found.devices.empty()) facts.push_back({"CUDA devices", "none: " + found.why_none});
  for (const auto& device : found.devices)
    facts.push_back(
        {fmt::format("CUDA device {}", device.index),
         fmt::format("{}, compute capability {}.{}, {} multiprocessors, {:.1f} GiB", device.name, device.major,
                     device.minor, device.multiprocessors, static_cast<double>(device.memory_bytes) / (1 << 30))});
  return facts;
}

}  // namespace strata::app
