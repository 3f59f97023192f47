// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/step.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace strata::ops {
namespace {

// What the four step ops share. `per_tensor` inputs follow hyper and factor for each tensor: p, g and the state.
struct StepRule {
  std::string_view op;
  int columns;
  int state;            // moment tensors a parameter
  bool optional_state;  // they may be undefined
};

void check_hyper(const StepRule& rule, Specs inputs, const std::vector<std::int32_t>& groups) {
  expect_inputs(rule.op, inputs.first(std::min<std::size_t>(inputs.size(), 2)), 2, 2);
  expect_type(rule.op, inputs[0], "hyper", DType::f64);
  expect_ndim(rule.op, inputs[0], "hyper", 2);
  expect_shape(rule.op, inputs[0], "hyper", {inputs[0].shape[0], rule.columns});
  expect_type(rule.op, inputs[1], "factor", DType::f64);
  expect_shape(rule.op, inputs[1], "factor", {1});
  for (const auto group : groups)
    STRATA_CHECK(group >= 0 && group < inputs[0].shape[0], internal, rule.op,
                 fmt::format("group {} of {} rows of hyper-parameters", group, inputs[0].shape[0]));
}

void check_tensor(const StepRule& rule, Specs tensor) {
  const auto& p = tensor[0];
  const auto& g = tensor[1];
  STRATA_CHECK(p.defined && g.defined, internal, rule.op, "a parameter or its gradient is undefined");
  STRATA_CHECK(p.dtype == DType::f32 || p.dtype == DType::f64, usage, rule.op,
               fmt::format("parameter {} cannot be stepped in this type", p.str()), "keep a master copy in f32 or f64");
  expect_floating(rule.op, g, "a gradient");
  expect_shape(rule.op, g, "a gradient", p.shape);
  STRATA_CHECK(size_of(g.dtype) <= size_of(p.dtype), usage, rule.op,
               fmt::format("gradient {} is wider than its parameter {}", g.str(), p.str()));
  for (const auto& state : tensor.subspan(2)) {
    if (!state.defined && rule.optional_state) continue;
    STRATA_CHECK(state == p, internal, rule.op,
                 fmt::format("state {} of parameter {}: type and shape must be equal", state.str(), p.str()));
  }
}

std::vector<TensorSpec> infer_step(const StepRule& rule, Specs inputs, const std::vector<std::int32_t>& groups,
                                   const std::vector<DType>& compute_copy) {
  check_hyper(rule, inputs, groups);
  const auto each = static_cast<std::size_t>(2 + rule.state);
  STRATA_CHECK(inputs.size() == 2 + each * groups.size(), internal, rule.op,
               fmt::format("{} inputs for {} tensors of {} each", inputs.size(), groups.size(), each));
  STRATA_CHECK(compute_copy.empty() || compute_copy.size() == groups.size(), internal, rule.op,
               fmt::format("{} types of compute copies for {} tensors", compute_copy.size(), groups.size()));
  std::vector<TensorSpec> outputs;
  outputs.reserve(groups.size() * (each + 1));
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto tensor = inputs.subspan(2 + each * i, each);
    check_tensor(rule, tensor);
    outputs.push_back(tensor[0]);
    for (const auto& state : tensor.subspan(2)) outputs.push_back(state);
    if (compute_copy.empty()) continue;
    const bool none = compute_copy[i] == tensor[0].dtype;
    outputs.push_back(none ? TensorSpec{DType::f32, {}, false} : TensorSpec{compute_copy[i], tensor[0].shape});
  }
  return outputs;
}

}  // namespace

std::vector<TensorSpec> AdamWStep::infer(Specs inputs) const {
  return infer_step({kName, kHyperColumns, 2, false}, inputs, groups, compute_copy);
}

std::vector<TensorSpec> SgdStep::infer(Specs inputs) const {
  return infer_step({kName, kHyperColumns, 1, true}, inputs, groups, compute_copy);
}

std::vector<TensorSpec> LionStep::infer(Specs inputs) const {
  return infer_step({kName, kHyperColumns, 1, false}, inputs, groups, compute_copy);
}

std::vector<TensorSpec> LambStep::infer(Specs inputs) const {
  return infer_step({kName, kHyperColumns, 2, false}, inputs, groups, compute_copy);
}

std::vector<TensorSpec> SquaredNorms::infer(Specs inputs) const {
  for (const auto& input : inputs) {
    STRATA_CHECK(input.defined, internal, kName, "a tensor is undefined");
    expect_floating(kName, input, "a tensor");
  }
  return {{DType::f64, {static_cast<std::int64_t>(inputs.size())}}};
}

std::vector<TensorSpec> ClipFactor::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  expect_type(kName, inputs[0], "the squared sums", DType::f64);
  expect_ndim(kName, inputs[0], "the squared sums", 1);
  expect_type(kName, inputs[1], "scale", DType::f64);
  expect_shape(kName, inputs[1], "scale", {1});
  return {{DType::f64, {1}}, {DType::f64, {1}}};
}

std::vector<TensorSpec> EmaStep::infer(Specs inputs) const {
  STRATA_CHECK(inputs.size() % 2 == 1, internal, kName,
               fmt::format("takes decay and pairs of tensors, got {} inputs", inputs.size()));
  expect_type(kName, inputs[0], "decay", DType::f64);
  expect_shape(kName, inputs[0], "decay", {1});
  std::vector<TensorSpec> outputs;
  for (std::size_t i = 1; i < inputs.size(); i += 2) {
    expect_floating(kName, inputs[i], "an average");
    expect_floating(kName, inputs[i + 1], "a parameter");
    expect_shape(kName, inputs[i + 1], "a parameter", inputs[i].shape);
    outputs.push_back(inputs[i]);
  }
  return outputs;
}

}  // namespace strata::ops
