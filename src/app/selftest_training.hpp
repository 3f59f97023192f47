// SPDX-License-Identifier: Apache-2.0
//
// A training run small enough for a self-test: a hierarchical encoder of four blocks learns to give four made-up
// studies made-up directions.
#pragma once

#include <vector>

#include "strata/runtime/context.hpp"

namespace strata::app {

// f32, AdamW; the loss before each step, 1 − mean cosine. The same seed gives the same bits.
std::vector<double> train_small_encoder(Context& ctx, int steps, std::uint64_t seed);

}  // namespace strata::app
