// SPDX-License-Identifier: Apache-2.0
//
// The kernels of attention.cu: for whatever cuDNN does not serve.
#pragma once

#include "strata/ops/attention.hpp"

namespace strata::cuda {

void own_attention(const ops::Attention& op, Inputs in, Outputs out, Context& ctx);
void own_attention_backward(const ops::AttentionBackward& op, Inputs in, Outputs out, Context& ctx);

}  // namespace strata::cuda
