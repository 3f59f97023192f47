// SPDX-License-Identifier: Apache-2.0
//
// GELU beside a product (matmul.cu): before it, and behind the product of a gradient.
#pragma once

#include "strata/runtime/context.hpp"

namespace strata::cuda {

// gelu = gelu(x), and where there is a `slope`, it is multiplied by gelu'(x). All of one floating type and shape; rows
// of x may lie apart, the others are dense.
void activate(const Tensor& x, const Tensor& slope, const Tensor& gelu, Context& ctx);

}  // namespace strata::cuda
