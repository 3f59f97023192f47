// SPDX-License-Identifier: Apache-2.0
//
// The linear maps of both towers to the joint width.
#pragma once

#include "strata/models/model.hpp"

namespace strata::models {

// Without bias, starting as PyTorch's linear layer does.
nn::Linear::Options projection_options(std::int64_t in, std::int64_t out);

// Embeddings are for losses: never narrower than f32.
Variable project(Tape& tape, nn::Linear& projection, const Variable& x);

}  // namespace strata::models
