// SPDX-License-Identifier: Apache-2.0
// One function an op file. A new op adds its line here and in table.cpp.
#pragma once

#include "strata/runtime/kernel_table.hpp"

namespace strata::cuda {

void register_copy(KernelTable& table);
void register_elementwise(KernelTable& table);

}  // namespace strata::cuda
