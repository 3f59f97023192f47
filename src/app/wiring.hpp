// SPDX-License-Identifier: Apache-2.0
//
// Where concrete backends get their names: the only place that knows them all. Everything below works on a Context and
// cannot tell.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "parallel/comm/staged.hpp"
#include "strata/data/loader.hpp"
#include "strata/runtime/context.hpp"

namespace strata::app {

struct BackendOptions {
  int threads = 0;         // 0: as the environment says
  int device = -1;         // of cuda; -1: by the rank's number on its node
  bool exact = true;       // of cuda (CudaOptions)
  bool rehearsal = false;  // kernels allocate, but compute nothing (HostMemory::rehearsed)
};

// A backend with its kernel table and the table it falls back on. Contexts must not outlive it.
class WiredBackend {
 public:
  WiredBackend(std::shared_ptr<Backend> backend, std::unique_ptr<KernelTable> table,
               std::unique_ptr<KernelTable> fallback = nullptr);

  const std::shared_ptr<Backend>& backend() const { return backend_; }
  const KernelTable& table() const { return *table_; }
  Context context() const { return Context(backend_, *table_); }
  // The same device, every kernel as `wrap` makes it (KernelTable::wrapped). Must not outlive this one.
  WiredBackend wrapped(const std::function<KernelTable::Run(const KernelTable::Entry&)>& wrap) const;

 private:
  std::shared_ptr<Backend> backend_;
  std::unique_ptr<KernelTable> fallback_, table_;
};

std::vector<std::string_view> backend_names();
// cuda where there is a device for it, else cpu where it was built. Rehearsals run on hosts.
std::string_view preferred_backend(const BackendOptions& options = {});
// The kernels that a backend of this build brings, without its device.
KernelTable own_kernels(std::string_view name);
// Empty: the preferred one. Unknown: usage error with the nearest name.
WiredBackend wire_backend(std::string_view name = {}, const BackendOptions& options = {});

// The table that others fall back on; of a rehearsal: the same entries, doing nothing.
std::unique_ptr<KernelTable> reference_table(bool rehearsal);

struct Fact {
  std::string name, value;
};

// with_backend_cpu.cpp, or without_backend_cpu.cpp in its place.
bool cpu_is_built();
KernelTable cpu_kernels();
WiredBackend wire_cpu(const BackendOptions& options);
int cpu_thread_count(const Backend& backend);  // of a backend from wire_cpu
std::string cpu_instruction_set(const Backend& backend);
std::vector<Fact> cpu_facts();  // the processor, the instruction set in use, threads, libraries

// with_backend_cuda.cpp, or without_backend_cuda.cpp in its place.
bool cuda_is_built();
bool cuda_has_device();
KernelTable cuda_kernels();
WiredBackend wire_cuda(const BackendOptions& options);
std::vector<Fact> cuda_facts();  // devices and libraries
// Host memory that a backend's device reads best, for loaders. The backend outlives it.
data::BufferMemory buffer_memory(const std::shared_ptr<Backend>& backend);
data::BufferMemory cuda_buffer_memory(const std::shared_ptr<Backend>& cuda);
comm::StagingMemory cuda_host_memory(const std::shared_ptr<Backend>& cuda);  // page-locked

}  // namespace strata::app
