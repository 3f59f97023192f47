// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/layer_norm.hpp"

#include <fmt/format.h>

#include "strata/ops/copy.hpp"

namespace strata::ops {
namespace {

const TensorSpec kNone{DType::f32, {}, false};

std::int64_t check_rows(std::string_view op, const TensorSpec& x) {
  expect_floating(op, x, "x");
  STRATA_CHECK(x.shape.ndim() >= 1 && x.shape[-1] > 0, usage, op,
               fmt::format("x is {}, but needs at least one column to normalise over", x.str()));
  return x.shape.outer(-1);
}

void check_parameter(std::string_view op, const TensorSpec& x, const TensorSpec& parameter, std::string_view what) {
  if (!parameter.defined) return;
  expect_shape(op, parameter, what, {x.shape[-1]});
  STRATA_CHECK(parameter.dtype == x.dtype || parameter.dtype == accumulation_type(x.dtype), usage, op,
               fmt::format("{} is {}, expected the type of x, {}, or {}", what, parameter.str(), name_of(x.dtype),
                           name_of(accumulation_type(x.dtype))));
}

}  // namespace

std::vector<TensorSpec> LayerNorm::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 3);
  const TensorSpec& x = inputs[0];
  const std::int64_t rows = check_rows(kName, x);
  check_parameter(kName, x, optional_spec(inputs, 1), "gamma");
  check_parameter(kName, x, optional_spec(inputs, 2), "beta");
  const TensorSpec statistic{accumulation_type(x.dtype), {rows}};
  return {x, statistic, statistic};
}

Saved LayerNorm::saves(std::uint32_t) const { return {.inputs = 3, .outputs = 6}; }

std::vector<Tensor> LayerNorm::gradient(const GradientArgs& args) const {
  const bool parameters = args.wants(1) || args.wants(2);
  auto grads = run(args.ctx, LayerNormBackward{parameters},
                   {args.inputs[0], optional_tensor(args.inputs, 1), args.outputs[1], args.outputs[2], args.grad()});
  grads.resize(args.specs.size());
  for (std::size_t i = 1; i < grads.size(); ++i)
    grads[i] = args.wants(static_cast<int>(i)) ? cast(args.ctx, grads[i], args.specs[i].dtype) : Tensor();
  return grads;
}

std::vector<TensorSpec> LayerNormBackward::infer(Specs inputs) const {
  STRATA_CHECK(inputs.size() == 5, internal, kName, fmt::format("takes 5 inputs, got {}", inputs.size()));
  const TensorSpec &x = inputs[0], &gamma = inputs[1];
  const std::int64_t rows = check_rows(kName, x);
  check_parameter(kName, x, gamma, "gamma");
  for (const std::size_t i : {2u, 3u}) {
    expect_shape(kName, inputs[i], "a row statistic", {rows});
    expect_type(kName, inputs[i], "a row statistic", accumulation_type(x.dtype));
  }
  expect_same_type(kName, x, inputs[4]);
  expect_shape(kName, inputs[4], "dy", x.shape);
  const TensorSpec parameter{gamma.defined ? gamma.dtype : accumulation_type(x.dtype), {x.shape[-1]}};
  return {x, parameters ? parameter : kNone, parameters ? parameter : kNone};
}

}  // namespace strata::ops
