// SPDX-License-Identifier: Apache-2.0
//
// Which instruction set the loops over voxels use. Every set gives the same bits, so there is nothing to choose by
// hand.
#include "study/simd/rows.hpp"

namespace strata::study {

namespace isa_baseline {
extern const RowKernels kRowKernels;
}
namespace isa_avx2 {
extern const RowKernels kRowKernels;
}
namespace isa_avx512 {
extern const RowKernels kRowKernels;
}

namespace {

constexpr const RowKernels* kSets[] = {&isa_baseline::kRowKernels, &isa_avx2::kRowKernels, &isa_avx512::kRowKernels};

int best_set() {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  return avx512 ? 2 : avx2 ? 1 : 0;
}

}  // namespace

const RowKernels& row_kernels() { return *kSets[best_set()]; }

const RowKernels* earlier_row_kernels(int steps_back) {
  const int set = best_set() - steps_back;
  return set >= 0 && set <= best_set() ? kSets[set] : nullptr;
}

}  // namespace strata::study
