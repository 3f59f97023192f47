// SPDX-License-Identifier: Apache-2.0
//
// The simplest gradient sync: all gradients lie in one buffer a type, which is summed over the group when the step is
// over. Nothing is hidden behind the backward pass; one call moves everything, and every rank ends with the same bits.
// Memory: the gradients themselves, which backward adds into in place.
#pragma once

#include <memory>
#include <vector>

#include "strata/comm/communicator.hpp"
#include "strata/nn/parameter.hpp"
#include "strata/parallel/gradient_sync.hpp"

namespace strata::parallel {

class WholeSum final : public GradientSync {
 public:
  // Of the parameters that are trainable now. The group outlives this.
  WholeSum(comm::Communicator& group, const std::vector<nn::ParameterPtr>& parameters);

  void begin(Context& ctx) override;
  void finish(Context& ctx) override;

 private:
  struct Part {
    nn::ParameterPtr parameter;
    std::int64_t begin = 0;
  };
  struct Buffer {
    DType dtype = DType::f32;
    std::int64_t elements = 0;
    std::vector<Part> parts;
    Tensor memory;  // [elements], made at the first step
  };

  comm::Communicator& group_;
  std::vector<Buffer> buffers_;
};

}  // namespace strata::parallel
