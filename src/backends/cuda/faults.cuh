// SPDX-License-Identifier: Apache-2.0
//
// The device's side of faults.
#pragma once

#include "backends/cuda/faults.hpp"

namespace strata::cuda {

__device__ __forceinline__ void report_fault(Faults* faults, FaultPlace place, std::int64_t position,
                                             std::int64_t value, std::int64_t limit) {
  const int at = static_cast<int>(place);
  faults->limit[at] = limit;
  atomicMin(&faults->first[at], static_cast<unsigned long long>(position) << 32 | static_cast<unsigned>(value));
}

}  // namespace strata::cuda
