// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/rounding.hpp"

#include <fmt/format.h>

namespace strata::ops {

std::vector<TensorSpec> RoundStochastically::infer(Specs inputs) const {
  STRATA_CHECK(!inputs.empty(), internal, kName, "takes draws and tensors, got nothing");
  const auto tensors = inputs.subspan(1);
  expect_type(kName, inputs[0], "draws", DType::i64);
  expect_shape(kName, inputs[0], "draws", {static_cast<std::int64_t>(tensors.size()), 3});
  std::vector<TensorSpec> outputs;
  for (const auto& tensor : tensors) {
    STRATA_CHECK(tensor.defined, internal, kName, "a tensor is undefined");
    expect_type(kName, tensor, "a tensor", DType::f32);
    outputs.push_back({DType::bf16, tensor.shape});
  }
  return outputs;
}

}  // namespace strata::ops
