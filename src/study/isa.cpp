// SPDX-License-Identifier: Apache-2.0
//
// Which instruction set the loops over voxels use. Every set gives the same bits, so there is nothing to choose by
// hand.
#include "study/simd/rows.hpp"

namespace strata::study {

namespace isa_baseline {
extern const RowKernels kRowKernels;
}
#ifdef STRATA_SIMD_X86
namespace isa_avx2 {
extern const RowKernels kRowKernels;
}
namespace isa_avx512 {
extern const RowKernels kRowKernels;
}
#endif

const RowKernels& row_kernels() {
#ifdef STRATA_SIMD_X86
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return isa_avx512::kRowKernels;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
    return isa_avx2::kRowKernels;
#endif
  return isa_baseline::kRowKernels;
}

}  // namespace strata::study
