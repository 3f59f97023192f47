// SPDX-License-Identifier: Apache-2.0
//
// A training run small enough for a self-test: a hierarchical encoder of four blocks learns to give four made-up
// studies made-up directions.
#pragma once

#include <vector>

#include "strata/runtime/context.hpp"

namespace strata::app {

// A model of type `dtype` (bf16: mixed precision), AdamW; the loss before each step, 1 − mean cosine. The same seed
// gives the same bits.
std::vector<double> train_small_encoder(Context& ctx, DType dtype, int steps, double lr, std::uint64_t seed);

}  // namespace strata::app
