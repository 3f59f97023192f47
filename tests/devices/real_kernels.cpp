// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cuda.hpp"
#include "tests/devices/device_kernels.hpp"

namespace strata::testing {

KernelTable device_kernels() { return make_cuda_table(); }

}  // namespace strata::testing
