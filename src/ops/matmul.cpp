// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/matmul.hpp"

#include <fmt/format.h>

#include "strata/ops/copy.hpp"
#include "strata/ops/gelu.hpp"
#include "strata/ops/reduce.hpp"

namespace strata::ops {

std::vector<TensorSpec> Matmul::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  const TensorSpec &a = inputs[0], &b = inputs[1];
  expect_floating(kName, a, "a");
  expect_same_type(kName, a, b);
  const int ndim = a.shape.ndim();
  STRATA_CHECK((ndim == 2 || ndim == 3) && b.shape.ndim() == ndim, usage, kName,
               fmt::format("{} · {}: both must be matrices, or both batches of matrices", a.str(), b.str()));
  STRATA_CHECK(ndim == 2 || a.shape[0] == b.shape[0], usage, kName,
               fmt::format("{} · {}: batches of {} and {}", a.str(), b.str(), a.shape[0], b.shape[0]));
  const std::int64_t m = a.shape[transpose_a ? -1 : -2], inner_a = a.shape[transpose_a ? -2 : -1];
  const std::int64_t n = b.shape[transpose_b ? -2 : -1], inner_b = b.shape[transpose_b ? -1 : -2];
  STRATA_CHECK(inner_a == inner_b, usage, kName,
               fmt::format("{}{} · {}{}: inner sizes {} and {} differ", a.str(), transpose_a ? " transposed" : "",
                           b.str(), transpose_b ? " transposed" : "", inner_a, inner_b));
  return {{wide ? accumulation_type(a.dtype) : a.dtype, a.shape.with(-2, m).with(-1, n)}};
}

Saved Matmul::saves(std::uint32_t needs) const { return {.inputs = (needs & 1u) << 1 | (needs >> 1 & 1u)}; }

std::vector<Tensor> Matmul::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(2);
  const Tensor dc = cast(args.ctx, args.grad(), args.specs[0].dtype);  // narrows when the product was wide
  const Tensor &a = args.inputs[0], &b = args.inputs[1];
  if (args.wants(0))
    grads[0] = transpose_a ? matmul(args.ctx, b, dc, transpose_b, true) : matmul(args.ctx, dc, b, false, !transpose_b);
  if (args.wants(1))
    grads[1] = transpose_b ? matmul(args.ctx, dc, a, true, transpose_a) : matmul(args.ctx, a, dc, !transpose_a, false);
  return grads;
}

namespace {

void expect_linear(std::string_view op, const TensorSpec& x, const TensorSpec& weight) {
  expect_floating(op, x, "x");
  expect_same_type(op, x, weight);
  STRATA_CHECK(weight.shape.ndim() >= 2, usage, op, fmt::format("weight {} is no matrix", weight.str()));
  STRATA_CHECK(x.shape.ndim() >= 1 && x.shape[-1] == weight.shape.inner(0), usage, op,
               fmt::format("x {} does not have the {} columns that weight {} takes", x.str(), weight.shape.inner(0),
                           weight.str()));
}

void expect_own_or_accumulation_type(std::string_view op, const TensorSpec& x, const TensorSpec& input,
                                     std::string_view what) {
  STRATA_CHECK(input.dtype == x.dtype || input.dtype == accumulation_type(x.dtype), usage, op,
               fmt::format("{} is {}, expected the type of x, {}, or {}", what, input.str(), name_of(x.dtype),
                           name_of(accumulation_type(x.dtype))));
}

Tensor as_matrix(const Tensor& weight) { return weight.ndim() == 2 ? weight : weight.reshape({weight.dim(0), -1}); }

}  // namespace

std::vector<TensorSpec> Linear::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 4);
  const TensorSpec &x = inputs[0], &weight = inputs[1], bias = optional_spec(inputs, 2),
                   residual = optional_spec(inputs, 3);
  expect_linear(kName, x, weight);
  const Shape shape = x.shape.with(-1, weight.shape[0]);
  if (bias.defined) {
    expect_shape(kName, bias, "bias", {weight.shape[0]});
    expect_own_or_accumulation_type(kName, x, bias, "bias");
  }
  if (!residual.defined) return {{x.dtype, shape}};
  expect_shape(kName, residual, "residual", shape);
  expect_own_or_accumulation_type(kName, x, residual, "residual");
  return {{residual.dtype, shape}};
}

Saved Linear::saves(std::uint32_t needs) const {
  const std::uint32_t x = needs & 1u, weight = needs >> 1 & 1u;
  return {.inputs = x << 1 | weight | (gelu ? x : 0u)};
}

std::vector<Tensor> Linear::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(args.specs.size());
  const TensorSpec &x = args.specs[0], &weight = args.specs[1];
  const Tensor dy = cast(args.ctx, args.grad(), x.dtype).rows();
  Tensor input;  // what was multiplied with the weight
  if (args.wants(0) && gelu) {
    const auto both =
        run(args.ctx, GeluLinearBackward{}, {dy, as_matrix(args.inputs[1]), dense(args.ctx, args.inputs[0].rows())});
    grads[0] = both[0].reshape(x.shape);
    input = both[1];
  } else if (args.wants(0)) {
    grads[0] = run1(args.ctx, Matmul{.weight = true}, {dy, as_matrix(args.inputs[1])}).reshape(x.shape);
  }
  // Wide: many rows are summed, and the sum goes into an accumulated gradient or a master weight.
  if (args.wants(1)) {
    if (!input.defined())
      input = gelu ? run1(args.ctx, Gelu{}, {dense(args.ctx, args.inputs[0].rows())}) : args.inputs[0].rows();
    if (grads.size() > 2 && args.wants(2)) {
      const auto both = run(args.ctx, LinearParametersBackward{}, {dy, input});
      grads[1] = both[0].reshape(weight.shape);
      grads[2] = both[1];
    } else {
      grads[1] = run1(args.ctx, Matmul{.transpose_a = true, .wide = true}, {dy, input}).reshape(weight.shape);
    }
  } else if (grads.size() > 2 && args.wants(2)) {
    grads[2] = sum_to_suffix(args.ctx, dy, args.specs[2].shape);
  }
  if (grads.size() > 3 && args.wants(3)) grads[3] = args.grad();
  return grads;
}

std::vector<TensorSpec> GeluLinearBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 3, 3);
  const TensorSpec &dy = inputs[0], &weight = inputs[1], &x = inputs[2];
  expect_linear(kName, x, weight);
  expect_same_type(kName, x, dy);
  expect_shape(kName, dy, "dy", x.shape.with(-1, weight.shape[0]));
  return {x, x};
}

std::vector<TensorSpec> LinearParametersBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  const TensorSpec &dy = inputs[0], &x = inputs[1];
  expect_ndim(kName, dy, "dy", 2);
  expect_shape(kName, x, "x", dy.shape.with(-1, x.shape[-1]));
  expect_same_type(kName, x, dy);
  const DType wide = accumulation_type(x.dtype);
  return {{wide, {dy.shape[1], x.shape[1]}}, {wide, {dy.shape[1]}}};
}

Tensor matmul(Context& ctx, const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  return run1(ctx, Matmul{transpose_a, transpose_b}, {a, b});
}

}  // namespace strata::ops
