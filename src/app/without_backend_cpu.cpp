// SPDX-License-Identifier: Apache-2.0
#include "app/wiring.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

bool cpu_is_built() { return false; }

KernelTable cpu_kernels() { return KernelTable("cpu"); }

WiredBackend wire_cpu(const BackendOptions&) {
  fail(ErrorKind::environment, "cpu", "this build has no cpu backend",
       "install oneDNN and OpenMP (scripts/setup.sh) and configure again");
}

int cpu_thread_count(const Backend&) { return 1; }

std::string cpu_instruction_set(const Backend&) { return {}; }

std::vector<Fact> cpu_facts() { return {{"oneDNN", "none: the build has no cpu backend"}}; }

}  // namespace strata::app
