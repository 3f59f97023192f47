// SPDX-License-Identifier: Apache-2.0
//
// The backend for host processors: oneDNN for matrix products, own vector kernels for the rest, OpenMP threads, the
// instruction set chosen when the backend is made. What its table lacks (f64, rare types) is asked of the reference
// table, which works on the same memory: see KernelTable::set_fallback. Numbers depend neither on the number of threads
// (matrix products excepted: those repeat exactly for the same number) nor, for own kernels, on the instruction set
// (attention excepted: its products round once a multiply-add where the set can, and in bf16 where the set multiplies
// it).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strata/runtime/backend.hpp"
#include "strata/runtime/kernel_table.hpp"

namespace strata {

// baseline: x86-64-v2, or whatever the compiler takes for granted elsewhere; avx2: with FMA (x86-64-v3); avx512: F, BW,
// CD, DQ, VL (x86-64-v4); avx512_bf16: with products of bf16 pairs; amx: with tiles of bf16, which the kernel must have
// allowed. Kernels without a version for the last two use that of avx512.
enum class CpuIsa : std::uint8_t { baseline, avx2, avx512, avx512_bf16, amx };
inline constexpr int kCpuIsaCount = 5;

std::string_view name_of(CpuIsa isa);
CpuIsa parse_cpu_isa(std::string_view name);  // unknown name: usage error with the nearest one

struct CpuFeatures {
  std::string model;  // as the processor calls itself; empty where it does not
  std::vector<std::string>
      vector;  // vector extensions that Strata or oneDNN can use: "avx2", "fma", "avx512f", "amx_bf16", ...
  CpuIsa best = CpuIsa::baseline;  // the highest set that both this machine and this build offer
  int processors = 1;              // logical ones this process may use
};
CpuFeatures cpu_features();

struct CpuOptions {
  int threads = 0;  // 0: as OpenMP says (OMP_NUM_THREADS, else all processors)
  std::optional<CpuIsa>
      isa{};  // default: environment STRATA_CPU_ISA, else the best; one that the machine lacks: environment error
  std::optional<bool> cache{};  // keep freed memory for reuse; default: yes, but not in builds with the address
                                // sanitizer, which would miss use after free
  bool rehearsal = false;       // allocate all that kernels would, compute nothing: how much memory would a job need?
};

std::shared_ptr<Backend> make_cpu_backend(const CpuOptions& options = {});
KernelTable make_cpu_table();

// Of a backend that make_cpu_backend made (another one: internal error).
CpuIsa cpu_isa(const Backend& backend);
int cpu_threads(const Backend& backend);

std::string onednn_version();  // of the library in use, "2.6.3"

}  // namespace strata
