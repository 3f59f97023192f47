// SPDX-License-Identifier: Apache-2.0
//
// What the processor can do, and which instruction set a backend uses.
#include "backends/cpu/isa.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#ifdef STRATA_SIMD_X86
#include <cpuid.h>
#endif
#if defined(STRATA_SIMD_BF16) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "backends/cpu/threads.hpp"
#include "strata/base/error.hpp"

namespace strata {
namespace {

constexpr std::array<std::string_view, kCpuIsaCount> kIsaNames{"baseline", "avx2", "avx512", "avx512_bf16", "amx"};

#ifdef STRATA_SIMD_X86
bool cpuid_7(unsigned bit_of_d) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> bit_of_d & 1u) != 0;
}
bool amx_bf16() { return cpuid_7(22) && cpuid_7(24); }  // and tiles at all

#if defined(STRATA_SIMD_BF16) && defined(__linux__)
// From asm/prctl.h, which older systems lack. Tiles are state number 18 of a thread: large, so that a process asks
// before it uses them.
constexpr long kSupportedStates = 0x1021, kRequestState = 0x1023, kTiles = 18;

bool system_saves_tiles() {
  unsigned long states = 0;
  return syscall(SYS_arch_prctl, kSupportedStates, &states) == 0 && (states >> kTiles & 1u) != 0;
}
bool permit_tiles() { return syscall(SYS_arch_prctl, kRequestState, kTiles) == 0; }
#else
[[maybe_unused]] bool system_saves_tiles() { return false; }
bool permit_tiles() { return false; }
#endif

// The compiler's own test, which also asks whether the system saves the wide registers.
CpuIsa best_isa() {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
#ifdef STRATA_SIMD_BF16
  if (avx512 && __builtin_cpu_supports("avx512bf16"))
    return amx_bf16() && system_saves_tiles() ? CpuIsa::amx : CpuIsa::avx512_bf16;
#endif
  return avx512 ? CpuIsa::avx512 : avx2 ? CpuIsa::avx2 : CpuIsa::baseline;
}

std::string processor_model() {
  std::array<unsigned, 12> words{};
  unsigned highest = __get_cpuid_max(0x80000000u, nullptr);
  if (highest < 0x80000004u) return {};
  for (unsigned i = 0; i < 3; ++i)
    __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
  std::array<char, 49> text{};
  std::memcpy(text.data(), words.data(), 48);
  std::string model(text.data());
  model.erase(0, model.find_first_not_of(' '));
  model.erase(model.find_last_not_of(' ') + 1);
  return model;
}

std::vector<std::string> vector_extensions() {
  const std::array<std::pair<const char*, bool>, 11> known{{{"sse4.2", __builtin_cpu_supports("sse4.2") != 0},
                                                            {"avx", __builtin_cpu_supports("avx") != 0},
                                                            {"avx2", __builtin_cpu_supports("avx2") != 0},
                                                            {"fma", __builtin_cpu_supports("fma") != 0},
                                                            {"avx512f", __builtin_cpu_supports("avx512f") != 0},
                                                            {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
                                                            {"avx512dq", __builtin_cpu_supports("avx512dq") != 0},
                                                            {"avx512vl", __builtin_cpu_supports("avx512vl") != 0},
                                                            {"avx512vnni", __builtin_cpu_supports("avx512vnni") != 0},
                                                            {"avx512bf16", __builtin_cpu_supports("avx512bf16") != 0},
                                                            {"amx_bf16", amx_bf16()}}};
  std::vector<std::string> present;
  for (const auto& [name, has] : known)
    if (has) present.emplace_back(name);
  return present;
}
#else
bool permit_tiles() { return false; }
CpuIsa best_isa() { return CpuIsa::baseline; }
std::string processor_model() { return {}; }
std::vector<std::string> vector_extensions() { return {}; }
#endif

}  // namespace

std::string_view name_of(CpuIsa isa) { return kIsaNames[static_cast<std::size_t>(isa)]; }

CpuIsa parse_cpu_isa(std::string_view name) {
  for (std::size_t i = 0; i < kIsaNames.size(); ++i)
    if (kIsaNames[i] == name) return static_cast<CpuIsa>(i);
  const auto near = nearest_name(name, kIsaNames);
  fail(ErrorKind::usage, "cpu", fmt::format("unknown instruction set '{}'", name),
       near.empty() ? fmt::format("use one of {}", fmt::join(kIsaNames, ", "))
                    : fmt::format("did you mean '{}'?", near));
}

CpuFeatures cpu_features() { return {processor_model(), vector_extensions(), best_isa(), cpu::processors()}; }

CpuIsa cpu::choose_isa(std::optional<CpuIsa> wanted) {
  const char* environment = std::getenv("STRATA_CPU_ISA");
  if (!wanted && environment != nullptr && *environment != '\0') wanted = parse_cpu_isa(environment);
  const CpuIsa best = best_isa();
  STRATA_CHECK(!wanted || *wanted <= best, environment, "cpu",
               fmt::format("instruction set {} is not available here; the best is {}", name_of(*wanted), name_of(best)),
               "unset STRATA_CPU_ISA");
  const CpuIsa isa = wanted.value_or(best);
  if (isa != CpuIsa::amx || permit_tiles()) return isa;
  STRATA_CHECK(!wanted, environment, "cpu", "the system refuses this process the tiles that instruction set amx needs",
               "use avx512_bf16, or unset STRATA_CPU_ISA");
  return CpuIsa::avx512_bf16;
}

}  // namespace strata
