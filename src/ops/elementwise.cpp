// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/elementwise.hpp"

#include <fmt/format.h>

#include "strata/ops/copy.hpp"
#include "strata/ops/reduce.hpp"

namespace strata::ops {
namespace {

void expect_suffix(std::string_view op, const Shape& a, const Shape& b) {
  bool fits = b.ndim() <= a.ndim();
  for (int i = 1; fits && i <= b.ndim(); ++i) fits = a[-i] == b[-i];
  STRATA_CHECK(fits, usage, op,
               fmt::format("the second operand {} is not a suffix of the first, {}", b.str(), a.str()));
}

std::vector<TensorSpec> infer_pair(std::string_view op, Specs inputs) {
  expect_inputs(op, inputs, 2, 2);
  expect_floating(op, inputs[0], "the first operand");
  expect_floating(op, inputs[1], "the second operand");
  expect_suffix(op, inputs[0].shape, inputs[1].shape);
  return {inputs[0]};
}

// The gradient of a second operand from that of the whole: sums keep the accumulation type.
Tensor to_operand(Context& ctx, const Tensor& grad, const TensorSpec& operand) {
  return grad.shape() == operand.shape ? cast(ctx, grad, operand.dtype) : sum_to_suffix(ctx, grad, operand.shape);
}

}  // namespace

std::vector<TensorSpec> Add::infer(Specs inputs) const { return infer_pair(kName, inputs); }

std::vector<Tensor> Add::gradient(const GradientArgs& args) const {
  return {args.grad(), args.wants(1) ? to_operand(args.ctx, args.grad(), args.specs[1]) : Tensor()};
}

std::vector<TensorSpec> Mul::infer(Specs inputs) const {
  auto outputs = infer_pair(kName, inputs);
  expect_same_type(kName, inputs[0], inputs[1]);
  return outputs;
}

Saved Mul::saves(std::uint32_t needs) const { return {.inputs = (needs & 1u) << 1 | (needs >> 1 & 1u)}; }

std::vector<Tensor> Mul::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(2);
  if (args.wants(0)) grads[0] = run1(args.ctx, Mul{}, {args.grad(), args.inputs[1]});
  if (args.wants(1))
    grads[1] = to_operand(args.ctx, run1(args.ctx, Mul{}, {args.grad(), args.inputs[0]}), args.specs[1]);
  return grads;
}

std::vector<TensorSpec> Scale::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  return {inputs[0]};
}

std::vector<Tensor> Scale::gradient(const GradientArgs& args) const { return {run1(args.ctx, *this, {args.grad()})}; }

std::vector<TensorSpec> Clamp::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  expect_floating(kName, inputs[0], "x");
  return {inputs[0]};
}

Tensor add(Context& ctx, const Tensor& a, const Tensor& b) { return run1(ctx, Add{}, {a, b}); }

void accumulate(Context& ctx, const Tensor& a, const Tensor& b) {
  STRATA_CHECK(a.shape() == b.shape(), internal, "accumulate",
               fmt::format("{} onto {}", b.spec().str(), a.spec().str()));
  run_into(ctx, Add{}, {a, b}, {a});
}

}  // namespace strata::ops
