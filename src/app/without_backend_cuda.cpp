// SPDX-License-Identifier: Apache-2.0
#include "app/wiring.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

bool cuda_is_built() { return false; }
bool cuda_has_device() { return false; }

KernelTable cuda_kernels() { return KernelTable("cuda"); }

WiredBackend wire_cuda(const BackendOptions&) {
  fail(ErrorKind::environment, "cuda", "this build has no cuda backend", "configure with the preset cuda-release");
}

data::BufferMemory cuda_buffer_memory(const std::shared_ptr<Backend>&) { return {}; }

comm::StagingMemory cuda_host_memory(const std::shared_ptr<Backend>&) { return {}; }

std::vector<Fact> cuda_facts() { return {{"CUDA", "none: the build has no cuda backend (preset cuda-release)"}}; }

}  // namespace strata::app
