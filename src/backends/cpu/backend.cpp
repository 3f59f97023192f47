// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/backend.hpp"

#include <fmt/format.h>

#include "backends/cpu/isa.hpp"
#include "backends/cpu/onednn.hpp"
#include "backends/cpu/packed_weights.hpp"
#include "backends/cpu/threads.hpp"
#include "strata/base/error.hpp"

namespace strata {
namespace cpu {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kCacheMemory = false;
#else
constexpr bool kCacheMemory = true;
#endif

}  // namespace

CpuBackend::CpuBackend(int threads, CpuIsa isa, HostMemory memory)
    : host_(make_host_backend("cpu", memory)),
      threads_(threads),
      isa_(isa),
      rehearsal_(memory == HostMemory::rehearsed),
      matmuls_(std::make_unique<MatmulCache>(*host_, rehearsal_)),
      weights_(std::make_unique<PackedWeights>(*host_, *matmuls_)) {}

CpuBackend::~CpuBackend() = default;

const CpuBackend& cpu_backend(const Backend& backend) {
  const auto* cpu = dynamic_cast<const CpuBackend*>(&backend);
  STRATA_CHECK(cpu != nullptr, internal, "cpu",
               fmt::format("a kernel of the cpu table was called with the {} backend", backend.name()),
               "pair make_cpu_table() with make_cpu_backend()");
  return *cpu;
}

}  // namespace cpu

std::shared_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  STRATA_CHECK(options.threads >= 0, usage, "cpu", fmt::format("{} threads were asked for", options.threads),
               "use 0 for as many as OpenMP says");
  const int threads = options.threads > 0 ? options.threads : cpu::default_threads();
  const HostMemory kept = options.cache.value_or(cpu::kCacheMemory) ? HostMemory::cached : HostMemory::returned;
  return std::make_shared<cpu::CpuBackend>(threads, cpu::choose_isa(options.isa),
                                           options.rehearsal ? HostMemory::rehearsed : kept);
}

CpuIsa cpu_isa(const Backend& backend) { return cpu::cpu_backend(backend).isa(); }
int cpu_threads(const Backend& backend) { return cpu::cpu_backend(backend).threads(); }

}  // namespace strata
