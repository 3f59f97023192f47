// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "strata/runtime/context.hpp"

namespace strata::cpu {

// Elements of one view into another of the same shape and type.
void copy_view(const Tensor& from, const Tensor& to, const Context& ctx);

}  // namespace strata::cpu
