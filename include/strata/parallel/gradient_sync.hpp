// SPDX-License-Identifier: Apache-2.0
//
// How the gradients of one step become sums over the ranks that share its studies. The engine says when a step begins
// and when it is over; what happens in between, and whether anything is sent before the end, is the strategy's. A
// strategy that overlaps uses the leaves' ready callbacks: they fire once a step, in the step's last backward on every
// rank (also on one that has no studies), in the same order (Tape::backward). Here: one rank, nothing to do.
#pragma once

#include "strata/runtime/context.hpp"

namespace strata::parallel {

class GradientSync {
 public:
  virtual ~GradientSync();
  // Before the first backward of a step: gradients are undefined or zero. May give leaves memory for them.
  virtual void begin(Context& ctx) { (void)ctx; }
  // After the last: every trainable parameter has a gradient, this rank's share. Afterwards it is the sum. Collective.
  virtual void finish(Context& ctx) { (void)ctx; }
};

}  // namespace strata::parallel
