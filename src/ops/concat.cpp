// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/concat.hpp"

#include <fmt/format.h>

#include <numeric>

#include "strata/ops/copy.hpp"

namespace strata::ops {
namespace {

void check_widths(const Shape& whole, const std::vector<std::int64_t>& widths) {
  const auto sum = std::accumulate(widths.begin(), widths.end(), std::int64_t{0});
  STRATA_CHECK(sum == whole[-1], usage, "columns",
               fmt::format("blocks of {} columns in all do not make up {}", sum, whole.str()));
}

// The buffer in which all blocks lie side by side and nothing else, or an undefined tensor.
Tensor common_buffer(Inputs blocks, const std::vector<std::int64_t>& widths, const TensorSpec& whole) {
  const Tensor& first = blocks.front();
  if (!first.defined() || first.dtype() != whole.dtype) return {};
  const auto end = first.byte_offset() + static_cast<std::size_t>(whole.shape.numel()) * size_of(whole.dtype);
  if (end > first.storage()->bytes()) return {};
  const Tensor buffer(first.storage(), whole.dtype, whole.shape, first.byte_offset());
  const auto expected = split_columns(buffer, widths);
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (!blocks[i].defined() || !blocks[i].same_view(expected[i])) return {};
  return buffer;
}

}  // namespace

std::vector<TensorSpec> Concat::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, static_cast<int>(inputs.size()));
  std::int64_t extent = 0;
  for (const auto& input : inputs) {
    STRATA_CHECK(input.defined, internal, kName, "an input is undefined");
    expect_same_type(kName, inputs[0], input);
    expect_ndim(kName, input, "an input", inputs[0].shape.ndim());
    expect_shape(kName, input, "an input", inputs[0].shape.with(axis, input.shape[axis]));
    extent += input.shape[axis];
  }
  return {{inputs[0].dtype, inputs[0].shape.with(axis, extent)}};
}

std::vector<Tensor> Concat::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(args.specs.size());
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < grads.size(); ++i) {
    const std::int64_t end = begin + args.specs[i].shape[axis];
    if (args.wants(static_cast<int>(i))) grads[i] = dense(args.ctx, args.grad().slice(axis, begin, end));
    begin = end;
  }
  return grads;
}

std::vector<Tensor> split_columns(const Tensor& x, const std::vector<std::int64_t>& widths) {
  check_widths(x.shape(), widths);
  std::vector<Tensor> blocks;
  std::int64_t begin = 0;
  for (const auto width : widths) {
    blocks.push_back(x.slice(-1, begin, begin + width));
    begin += width;
  }
  return blocks;
}

Tensor join_columns(Context& ctx, Inputs blocks, const std::vector<std::int64_t>& widths, const TensorSpec& whole) {
  STRATA_CHECK(!blocks.empty() && blocks.size() == widths.size(), internal, "columns",
               fmt::format("{} blocks for {} widths", blocks.size(), widths.size()));
  check_widths(whole.shape, widths);
  if (const Tensor buffer = common_buffer(blocks, widths, whole); buffer.defined()) return buffer;
  const Tensor joined = ctx.empty(whole.dtype, whole.shape);
  const auto places = split_columns(joined, widths);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].defined())
      run_into(ctx, Copy{}, {cast(ctx, blocks[i], whole.dtype)}, {places[i]});
    else
      fill(ctx, places[i], 0);
  }
  return joined;
}

}  // namespace strata::ops
