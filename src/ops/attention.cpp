// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/attention.hpp"

#include <fmt/format.h>

#include "strata/ops/copy.hpp"

namespace strata::ops {
namespace {

void check_heads(std::string_view op, const Shape& q, std::int64_t head_width) {
  STRATA_CHECK(head_width > 0 && head_width <= 128 && head_width % 8 == 0, usage, op,
               fmt::format("head width {} is not a multiple of 8 up to 128", head_width),
               "choose another number of heads");
  STRATA_CHECK(q[1] % head_width == 0, usage, op,
               fmt::format("width {} does not divide into heads of {}", q[1], head_width),
               "the number of heads must divide the width");
}

void check_segments(std::string_view op, const TensorSpec& q_offsets, const TensorSpec& k_offsets) {
  for (const auto* offsets : {&q_offsets, &k_offsets}) {
    expect_type(op, *offsets, "an offsets input", DType::i32);
    expect_ndim(op, *offsets, "an offsets input", 1);
  }
  expect_shape(op, k_offsets, "k_offsets", q_offsets.shape);
  STRATA_CHECK(q_offsets.shape[0] >= 1, usage, op, "offsets must hold the number of segments plus one, got none");
}

void check_inputs(std::string_view op, Specs inputs, std::int64_t head_width) {
  const auto &q = inputs[0], &k = inputs[1], &v = inputs[2];
  expect_floating(op, q, "q");
  expect_ndim(op, q, "q", 2);
  expect_ndim(op, k, "k", 2);
  expect_same_type(op, q, k);
  expect_same_type(op, q, v);
  expect_shape(op, k, "k", {k.shape[0], q.shape[1]});
  expect_shape(op, v, "v", k.shape);
  check_heads(op, q.shape, head_width);
  check_segments(op, inputs[3], inputs[4]);
}

Shape lse_shape(const TensorSpec& q, std::int64_t head_width) { return {q.shape[1] / head_width, q.shape[0]}; }

// Are a and b, in this order, neighbouring column blocks of one matrix?
bool adjacent_columns(const Tensor& a, const Tensor& b) {
  return a.storage() == b.storage() && a.dtype() == b.dtype() && a.shape() == b.shape() && a.stride(0) == b.stride(0) &&
         a.stride(1) == 1 && b.stride(1) == 1 &&
         b.byte_offset() == a.byte_offset() + static_cast<std::size_t>(a.dim(1)) * size_of(a.dtype());
}

// Memory for dq, dk, dv; side by side in one buffer when q, k, v lie so, because join_columns then returns that buffer
// as it is.
std::vector<Tensor> gradient_buffers(Context& ctx, const Tensor& q, const Tensor& k, const Tensor& v) {
  const auto own = [&](const Tensor& x) { return ctx.empty(x.dtype(), x.shape()); };
  if (!adjacent_columns(q, k) || !adjacent_columns(k, v)) return {own(q), own(k), own(v)};
  const std::int64_t width = q.dim(1);
  const Tensor whole = ctx.empty(q.dtype(), {q.dim(0), 3 * width});  // [T, 3C]
  return {whole.slice(1, 0, width), whole.slice(1, width, 2 * width), whole.slice(1, 2 * width, 3 * width)};
}

}  // namespace

std::vector<TensorSpec> Attention::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 5, 5);
  check_inputs(kName, inputs, head_width);
  return {inputs[0], {accumulation_type(inputs[0].dtype), lse_shape(inputs[0], head_width)}};
}

std::vector<Tensor> Attention::gradient(const GradientArgs& args) const {
  if (!args.wants(0) && !args.wants(1) && !args.wants(2)) return std::vector<Tensor>(5);
  const auto& in = args.inputs;
  const auto& out = args.outputs;
  const Tensor d_o = args.grads[0].defined() ? args.grads[0] : zeros_like(args.ctx, out[0].spec());
  auto grads = gradient_buffers(args.ctx, in[0], in[1], in[2]);
  const AttentionBackward backward{head_width, scale, longest_query, longest_key};
  const std::vector<Tensor> operands{
      in[0], in[1], in[2], in[3], in[4], out[0], out[1], d_o, optional_tensor(args.grads, 1)};
  run_into(args.ctx, backward, operands, grads);
  grads.resize(5);
  for (int i = 0; i < 3; ++i)
    if (!args.wants(i)) grads[static_cast<std::size_t>(i)] = Tensor();
  return grads;
}

std::vector<TensorSpec> AttentionBackward::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 8, 9);
  check_inputs(kName, inputs, head_width);
  const auto& q = inputs[0];
  expect_shape(kName, inputs[5], "o", q.shape);
  expect_same_type(kName, q, inputs[5]);
  expect_shape(kName, inputs[6], "lse", lse_shape(q, head_width));
  expect_type(kName, inputs[6], "lse", accumulation_type(q.dtype));
  expect_shape(kName, inputs[7], "do", q.shape);
  expect_same_type(kName, q, inputs[7]);
  if (const auto dlse = optional_spec(inputs, 8); dlse.defined) {
    expect_shape(kName, dlse, "dlse", lse_shape(q, head_width));
    expect_type(kName, dlse, "dlse", accumulation_type(q.dtype));
  }
  return {inputs[0], inputs[1], inputs[2]};
}

}  // namespace strata::ops
