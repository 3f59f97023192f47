// SPDX-License-Identifier: Apache-2.0
//
// How a vector kernel is declared once and found for each instruction set. A header simd/<op>.hpp declares a struct of
// function pointers and says
//
//   STRATA_PER_ISA(SoftmaxSimd, softmax_simd);
//
// simd/<op>.cpp, which is compiled once an instruction set, defines `const SoftmaxSimd softmax_simd` in namespace
// strata::cpu::STRATA_ISA and has everything else in an anonymous namespace inside. It includes nothing with inline
// functions (no standard library beyond <cstdint> and the like, no strata/ header): a copy of such a function compiled
// for AVX-512 could be the one that the linker keeps for everybody. Arguments are plain pointers and extents; threads,
// shapes and checks are the business of the op's own file, which calls simd(ctx, softmax_simd).
//
// A kernel with a version of its own for processors that multiply bf16 says STRATA_PER_ISA_BF16 instead, and defines
// that version in simd/bf16/<op>.cpp, which is compiled for avx512_bf16 and amx alone. For all others these two sets
// repeat avx512.
#pragma once

#include <cstdint>

namespace strata::cpu {

// By CpuIsa. Sets that the machine or the compiler lacks repeat the one below.
template <class Kernels>
using PerIsa = const Kernels* const[5];

}  // namespace strata::cpu

#define STRATA_ISA_DECLARES(isa, Type, name) \
  namespace isa {                            \
  extern const Type name;                    \
  }

#ifdef STRATA_SIMD_X86
#define STRATA_PER_ISA(Type, name)                                                                \
  STRATA_ISA_DECLARES(isa_baseline, Type, name)                                                   \
  STRATA_ISA_DECLARES(isa_avx2, Type, name)                                                       \
  STRATA_ISA_DECLARES(isa_avx512, Type, name)                                                     \
  static constexpr PerIsa<Type> name {                                                            \
    &isa_baseline::name, &isa_avx2::name, &isa_avx512::name, &isa_avx512::name, &isa_avx512::name \
  }
#else
#define STRATA_PER_ISA(Type, name)                                                                          \
  STRATA_ISA_DECLARES(isa_baseline, Type, name)                                                             \
  static constexpr PerIsa<Type> name {                                                                      \
    &isa_baseline::name, &isa_baseline::name, &isa_baseline::name, &isa_baseline::name, &isa_baseline::name \
  }
#endif

#ifdef STRATA_SIMD_BF16
#define STRATA_PER_ISA_BF16(Type, name)                                                             \
  STRATA_ISA_DECLARES(isa_baseline, Type, name)                                                     \
  STRATA_ISA_DECLARES(isa_avx2, Type, name)                                                         \
  STRATA_ISA_DECLARES(isa_avx512, Type, name)                                                       \
  STRATA_ISA_DECLARES(isa_avx512_bf16, Type, name)                                                  \
  STRATA_ISA_DECLARES(isa_amx, Type, name)                                                          \
  static constexpr PerIsa<Type> name {                                                              \
    &isa_baseline::name, &isa_avx2::name, &isa_avx512::name, &isa_avx512_bf16::name, &isa_amx::name \
  }
#else
#define STRATA_PER_ISA_BF16(Type, name) STRATA_PER_ISA(Type, name)
#endif
