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

void check_not_wider(std::string_view op, const TensorSpec& x, DType type, std::string_view what) {
  STRATA_CHECK(
      is_floating(type) && size_of(type) <= size_of(x.dtype), usage, op,
      fmt::format("{} of type {} for x {}: expected the type of x or a narrower one", what, name_of(type), x.str()));
}

// y and the statistics of rows like x.
std::vector<TensorSpec> normed(std::string_view op, const TensorSpec& x, std::optional<DType> output) {
  const std::int64_t rows = check_rows(op, x);
  const DType type = output.value_or(x.dtype);
  check_not_wider(op, x, type, "an output");
  const TensorSpec statistic{accumulation_type(x.dtype), {rows}};
  return {{type, x.shape}, statistic, statistic};
}

}  // namespace

std::vector<TensorSpec> LayerNorm::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 3);
  const TensorSpec& x = inputs[0];
  auto outputs = normed(kName, x, output);
  check_parameter(kName, x, optional_spec(inputs, 1), "gamma");
  check_parameter(kName, x, optional_spec(inputs, 2), "beta");
  return outputs;
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

std::vector<TensorSpec> AddLayerNorm::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 4);
  const TensorSpec &x = inputs[0], &branch = inputs[1];
  auto outputs = normed(kName, x, output);
  expect_shape(kName, branch, "the branch", x.shape);
  check_not_wider(kName, x, branch.dtype, "a branch");
  check_parameter(kName, x, optional_spec(inputs, 2), "gamma");
  check_parameter(kName, x, optional_spec(inputs, 3), "beta");
  outputs.insert(outputs.begin(), x);
  return outputs;
}

Saved AddLayerNorm::saves(std::uint32_t) const { return {.inputs = 4, .outputs = 13}; }

std::vector<Tensor> AddLayerNorm::gradient(const GradientArgs& args) const {
  const Tensor &dh = args.grads[0], &dy = args.grads[1];
  const bool parameters = args.wants(2) || args.wants(3);
  const DType branch = args.specs[1].dtype;
  const bool narrow = args.wants(1) && branch != args.specs[0].dtype;
  std::vector<Tensor> grads(args.specs.size()), sums(2);
  if (dy.defined()) {
    const auto back = run(args.ctx, LayerNormBackward{parameters, narrow ? std::optional(branch) : std::nullopt},
                          {args.outputs[0], optional_tensor(args.inputs, 2), args.outputs[2], args.outputs[3], dy, dh});
    grads[0] = back[0];
    grads[1] = narrow ? back[3] : back[0];
    sums = {back[1], back[2]};
  } else {
    grads[0] = dh;
    grads[1] = narrow ? cast(args.ctx, dh, branch) : dh;
  }
  for (std::size_t i = 2; i < grads.size(); ++i)
    if (args.wants(static_cast<int>(i)))
      grads[i] = dy.defined() ? cast(args.ctx, sums[i - 2], args.specs[i].dtype) : zeros_like(args.ctx, args.specs[i]);
  return grads;
}

std::vector<Tensor> AddLayerNorm::recompute(Context& ctx, Inputs inputs, Inputs outputs) const {
  const Tensor y =
      run1(ctx, LayerNorm{epsilon, output}, {outputs[0], optional_tensor(inputs, 2), optional_tensor(inputs, 3)});
  return {Tensor(), y, Tensor(), Tensor()};
}

std::vector<TensorSpec> LayerNormBackward::infer(Specs inputs) const {
  STRATA_CHECK(inputs.size() == 5 || inputs.size() == 6, internal, kName,
               fmt::format("takes 5 or 6 inputs, got {}", inputs.size()));
  const TensorSpec &x = inputs[0], &gamma = inputs[1], residual = optional_spec(inputs, 5);
  const std::int64_t rows = check_rows(kName, x);
  check_parameter(kName, x, gamma, "gamma");
  for (const std::size_t i : {2u, 3u}) {
    expect_shape(kName, inputs[i], "a row statistic", {rows});
    expect_type(kName, inputs[i], "a row statistic", accumulation_type(x.dtype));
  }
  check_not_wider(kName, x, inputs[4].dtype, "dy");
  expect_shape(kName, inputs[4], "dy", x.shape);
  if (residual.defined) {
    expect_same_type(kName, x, residual);
    expect_shape(kName, residual, "dresidual", x.shape);
  }
  const TensorSpec parameter{gamma.defined ? gamma.dtype : accumulation_type(x.dtype), {x.shape[-1]}};
  std::vector<TensorSpec> outputs{x, parameters ? parameter : kNone, parameters ? parameter : kNone};
  if (narrowed) {
    check_not_wider(kName, x, *narrowed, "a second dx");
    outputs.push_back({*narrowed, x.shape});
  }
  return outputs;
}

}  // namespace strata::ops
