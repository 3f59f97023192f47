// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "app/wiring.hpp"
#include "backends/cpu/cpu.hpp"

namespace strata::app {

bool cpu_is_built() { return true; }

KernelTable cpu_kernels() { return make_cpu_table(); }

WiredBackend wire_cpu(const BackendOptions& options) {
  return WiredBackend(make_cpu_backend({.threads = options.threads, .rehearsal = options.rehearsal}),
                      std::make_unique<KernelTable>(make_cpu_table()), reference_table(options.rehearsal));
}

int cpu_thread_count(const Backend& backend) { return cpu_threads(backend); }

std::string cpu_instruction_set(const Backend& backend) { return std::string(name_of(cpu_isa(backend))); }

std::vector<Fact> cpu_facts() {
  const CpuFeatures features = cpu_features();
  const auto backend = make_cpu_backend();
  return {{"processor", features.model.empty() ? std::string("unnamed") : features.model},
          {"vector extensions", fmt::format("{}", fmt::join(features.vector, " "))},
          {"instruction set", fmt::format("{} (best here: {})", name_of(cpu_isa(*backend)), name_of(features.best))},
          {"threads", fmt::format("{} (processors: {})", cpu_threads(*backend), features.processors)},
          {"oneDNN", onednn_version()}};
}

}  // namespace strata::app
