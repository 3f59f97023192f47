// SPDX-License-Identifier: Apache-2.0
//
// The batch of one optimizer step, wherever its rows are: on this rank, on others, in micro-batches that are done
// already. Objectives that compare every row with every other (contrastive losses, DINO's centre, synchronised batch
// norm) ask it and cannot tell. Here: everything is on this rank.
#pragma once

#include "strata/runtime/context.hpp"

namespace strata::objectives {

class GlobalBatch {
 public:
  virtual ~GlobalBatch() = default;

  struct Rows {
    Tensor all;              // [G, ...], in the same order for every tensor of the step
    std::int64_t first = 0;  // where this rank's rows begin
  };
  // mine [b, ...]; ranks may have different b, none too. Collective.
  virtual Rows gather_rows(Context& ctx, const Tensor& mine) {
    (void)ctx;
    return {mine, 0};
  }
  // The sum over ranks, on every rank. Collective.
  virtual Tensor sum(Context& ctx, const Tensor& mine) {
    (void)ctx;
    return mine;
  }
};

}  // namespace strata::objectives
