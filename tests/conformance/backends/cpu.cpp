// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu.hpp"

#include "tests/conformance/backends.hpp"

namespace strata::conformance {

// The backend as a run would make it, and each lower instruction set of this machine.
void add_cpu_backends(std::deque<TestBackend>& backends);
void add_cpu_backends(std::deque<TestBackend>& backends) {
  const KernelTable* fallback = &backends.front().table;
  const auto add = [&](std::string name, const CpuOptions& options) {
    backends.push_back({std::move(name), make_cpu_backend(options), make_cpu_table()});
    backends.back().table.set_fallback(fallback);
  };
  const CpuIsa best = cpu_features().best;
  add("cpu", {});
  for (int i = 0; i < kCpuIsaCount; ++i)
    if (const auto isa = static_cast<CpuIsa>(i); isa < best)
      add("cpu " + std::string(name_of(isa)), {.threads = 2, .isa = isa});
}

}  // namespace strata::conformance
