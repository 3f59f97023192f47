// SPDX-License-Identifier: Apache-2.0
//
// Copies between views, for ops that are made of them.
#pragma once

#include "strata/runtime/context.hpp"

namespace strata::cuda {

// Any views of one shape and type.
void copy_view(const Tensor& from, const Tensor& to, Context& ctx);

}  // namespace strata::cuda
