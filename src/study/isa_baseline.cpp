// SPDX-License-Identifier: Apache-2.0
//
// Processors for which the loops over voxels are compiled once.
#include "study/simd/rows.hpp"

namespace strata::study {

namespace isa_baseline {
extern const RowKernels kRowKernels;
}

const RowKernels& row_kernels() { return isa_baseline::kRowKernels; }

const RowKernels* earlier_row_kernels(int steps_back) { return steps_back == 0 ? &row_kernels() : nullptr; }

}  // namespace strata::study
