// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/op.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "strata/base/error.hpp"

namespace strata::ops {
namespace {

std::string list(Specs specs) {
  std::string text;
  for (const auto& spec : specs) text += (text.empty() ? "" : ", ") + spec.str();
  return text;
}

const KernelTable::Entry& kernel_for(Context& ctx, const detail::OpRef& op, Inputs inputs, Outputs outputs) {
  auto specs = detail::specs_of(inputs);
  const auto* entry = ctx.kernels().find(op.type, op.value, specs.empty() ? detail::specs_of(outputs) : specs);
  STRATA_CHECK(
      entry != nullptr, environment, op.name,
      fmt::format("the {} backend has no kernel for ({})", ctx.kernels().backend(), list(specs)),
      "`strata info` lists what this build can do; the reference backend serves every op in f32, f64 and bf16");
  return *entry;
}

void check_devices(Context& ctx, const detail::OpRef& op, Inputs tensors) {
  for (const auto& tensor : tensors)
    STRATA_CHECK(!tensor.defined() || tensor.device() == ctx.backend().device(), internal, op.name,
                 fmt::format("a tensor lies on {} but the {} backend works on {}", tensor.device().str(),
                             ctx.backend().name(), ctx.backend().device().str()));
}

}  // namespace

namespace detail {

std::vector<TensorSpec> specs_of(Inputs tensors) {
  std::vector<TensorSpec> specs;
  specs.reserve(tensors.size());
  for (const auto& tensor : tensors) specs.push_back(tensor.spec());
  return specs;
}

void run_into(Context& ctx, const OpRef& op, Inputs inputs, Outputs outputs) {
  check_devices(ctx, op, inputs);
  check_devices(ctx, op, outputs);
  STRATA_CHECK(op.strided || std::ranges::all_of(outputs, [](const Tensor& t) { return !t.defined() || t.is_dense(); }),
               internal, op.name, "an output is a strided view, which this op does not write",
               "write into a dense tensor and copy");
  const auto& entry = kernel_for(ctx, op, inputs, outputs);
  Context inside = ctx.labelled(MemoryKind::work);  // what a kernel allocates for itself
  const bool all_dense =
      op.strided || std::ranges::all_of(inputs, [](const Tensor& t) { return !t.defined() || t.is_dense(); });
  if (all_dense) {
    entry.run(op.value, inputs, outputs, inside);
  } else {
    std::vector<Tensor> copies;
    for (const auto& input : inputs) copies.push_back(dense(inside, input));
    entry.run(op.value, copies, outputs, inside);
  }
  for (const auto& output : outputs)
    if (output.defined()) output.storage()->bump_version();
}

std::vector<Tensor> run(Context& ctx, const OpRef& op, Inputs inputs, const std::vector<TensorSpec>& specs) {
  std::vector<Tensor> outputs;
  outputs.reserve(specs.size());
  for (const auto& spec : specs) outputs.push_back(spec.defined ? ctx.empty(spec.dtype, spec.shape) : Tensor());
  run_into(ctx, op, inputs, outputs);
  return outputs;
}

}  // namespace detail

void expect_inputs(std::string_view op, Specs inputs, int least, int most) {
  const auto count = static_cast<int>(inputs.size());
  STRATA_CHECK(count >= least && count <= most, internal, op,
               fmt::format("takes {} to {} inputs, got {}", least, most, count));
  for (int i = 0; i < least; ++i)
    STRATA_CHECK(inputs[static_cast<std::size_t>(i)].defined, internal, op,
                 fmt::format("input {} is required but undefined", i));
}

void expect_shape(std::string_view op, const TensorSpec& input, std::string_view what, const Shape& shape) {
  STRATA_CHECK(input.shape == shape, usage, op,
               fmt::format("{} has shape {}, expected {}", what, input.shape.str(), shape.str()));
}

void expect_ndim(std::string_view op, const TensorSpec& input, std::string_view what, int ndim) {
  STRATA_CHECK(input.shape.ndim() == ndim, usage, op,
               fmt::format("{} has shape {}, expected {} dimensions", what, input.shape.str(), ndim));
}

void expect_same_type(std::string_view op, const TensorSpec& a, const TensorSpec& b) {
  STRATA_CHECK(a.dtype == b.dtype, usage, op, fmt::format("inputs {} and {} differ in element type", a.str(), b.str()),
               "cast one of them");
}

void expect_type(std::string_view op, const TensorSpec& input, std::string_view what, DType dtype) {
  STRATA_CHECK(input.dtype == dtype, usage, op,
               fmt::format("{} is {}, expected {}", what, input.str(), name_of(dtype)));
}

void expect_floating(std::string_view op, const TensorSpec& input, std::string_view what) {
  STRATA_CHECK(is_floating(input.dtype), usage, op,
               fmt::format("{} is {}, expected a floating type", what, input.str()));
}

}  // namespace strata::ops
