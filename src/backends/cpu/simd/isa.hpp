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
#pragma once

#include <cstdint>

namespace strata::cpu {

// By CpuIsa. Where the machine has no such set, entries repeat the baseline.
template <class Kernels>
using PerIsa = const Kernels* const[3];

}  // namespace strata::cpu

#ifdef STRATA_SIMD_X86
#define STRATA_PER_ISA(Type, name) \
  namespace isa_baseline {         \
  extern const Type name;          \
  }                                \
  namespace isa_avx2 {             \
  extern const Type name;          \
  }                                \
  namespace isa_avx512 {           \
  extern const Type name;          \
  }                                \
  static constexpr PerIsa<Type> name { &isa_baseline::name, &isa_avx2::name, &isa_avx512::name }
#else
#define STRATA_PER_ISA(Type, name) \
  namespace isa_baseline {         \
  extern const Type name;          \
  }                                \
  static constexpr PerIsa<Type> name { &isa_baseline::name, &isa_baseline::name, &isa_baseline::name }
#endif
