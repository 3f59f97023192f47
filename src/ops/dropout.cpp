// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/dropout.hpp"

#include <fmt/format.h>

namespace strata::ops {
namespace {

void check_rate(std::string_view op, double rate) {
  STRATA_CHECK(rate >= 0 && rate < 1, usage, op, fmt::format("rate {} is not in [0, 1)", rate));
}

void check_keys(std::string_view op, const TensorSpec& keys) {
  expect_type(op, keys, "keys", DType::i64);
  expect_ndim(op, keys, "keys", 2);
  expect_shape(op, keys, "keys", {keys.shape[0], 2});
}

// x [T, C] and offsets [n + 1] of `count` segments.
void check_segments(std::string_view op, const TensorSpec& x, const TensorSpec& offsets, std::int64_t count) {
  expect_floating(op, x, "x");
  expect_ndim(op, x, "x", 2);
  expect_type(op, offsets, "offsets", DType::i32);
  expect_shape(op, offsets, "offsets", {count + 1});
}

}  // namespace

std::vector<TensorSpec> Dropout::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 3, 3);
  check_rate(kName, rate);
  check_keys(kName, inputs[1]);
  check_segments(kName, inputs[0], inputs[2], inputs[1].shape[0]);
  return {inputs[0]};
}

std::vector<Tensor> Dropout::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(3);
  if (args.wants(0)) grads[0] = run1(args.ctx, *this, {args.grad(), args.inputs[1], args.inputs[2]});
  return grads;
}

std::vector<TensorSpec> DropPathFactors::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 1);
  check_rate(kName, rate);
  check_keys(kName, inputs[0]);
  STRATA_CHECK(is_floating(to), usage, kName, fmt::format("factors of type {} are not floating", name_of(to)));
  return {{to, {inputs[0].shape[0]}}};
}

std::vector<TensorSpec> ScaleSegments::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 3, 3);
  expect_floating(kName, inputs[1], "the factor");
  expect_ndim(kName, inputs[1], "the factor", 1);
  check_segments(kName, inputs[0], inputs[2], inputs[1].shape[0]);
  return {inputs[0]};
}

std::vector<Tensor> ScaleSegments::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(3);
  if (args.wants(0)) grads[0] = run1(args.ctx, *this, {args.grad(), args.inputs[1], args.inputs[2]});
  return grads;
}

}  // namespace strata::ops
