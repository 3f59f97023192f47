// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/runtime/kernel_table.hpp"

namespace strata::testing {

// Of the program's devices: real_kernels.cpp, or those of an emulation.
KernelTable device_kernels();

}  // namespace strata::testing
