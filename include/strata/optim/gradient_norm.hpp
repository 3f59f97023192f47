// SPDX-License-Identifier: Apache-2.0
//
// From summed gradients to the one factor a step multiplies them by: 1/accumulation and clipping by the global norm,
// all on the device. Between the two halves a plan may add the squared norms of other ranks (sharded gradients). Cost:
// one read of the gradients.
#pragma once

#include <span>

#include "strata/optim/optimizer.hpp"

namespace strata::optim {

// Squared norm of each tensor: f64 [n] on the device.
Tensor squared_norms(Context& ctx, std::span<const Tensor> gradients);

struct GradientNorm {
  Tensor squared;  // f64 [n], what `factor` was made of
  Tensor factor;   // f64 [1] for Optimizer::step; 0 when the norm is not finite, and the step then changes nothing
  Tensor norm;     // f64 [1] of the scaled gradients, before clipping
};

// `scale` multiplies every gradient first: 1/k for k accumulated micro-batches. max_norm 0: no clipping. Negative or
// non-finite: usage error.
GradientNorm clip(Context& ctx, const Tensor& squared, double scale = 1, double max_norm = 0);
GradientNorm gradient_norm(Context& ctx, const Optimizer& optimizer, double scale = 1, double max_norm = 0);

// Reads the norm back (waits for the device). Not finite: numeric error that names the first parameter at fault and its
// first bad element.
double checked_norm(Context& ctx, const Optimizer& optimizer, const GradientNorm& norm);

}  // namespace strata::optim
