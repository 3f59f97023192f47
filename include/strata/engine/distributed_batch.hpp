// SPDX-License-Identifier: Apache-2.0
//
// A global batch whose rows lie on the ranks of a group, in rank order. Every call is one or two collectives, waited
// for; features are small beside what makes them.
#pragma once

#include "strata/comm/communicator.hpp"
#include "strata/objectives/global_batch.hpp"

namespace strata::engine {

class DistributedBatch final : public objectives::GlobalBatch {
 public:
  explicit DistributedBatch(comm::Communicator& group) : group_(group) {}

  Rows gather_rows(Context& ctx, const Tensor& mine) override;
  Tensor sum(Context& ctx, const Tensor& mine) override;

 private:
  comm::Communicator& group_;
};

}  // namespace strata::engine
