// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gather.hpp"

#include <fmt/format.h>

#include "strata/ops/copy.hpp"

namespace strata::ops {
namespace {

void check_index(std::string_view op, const TensorSpec& index) {
  expect_ndim(op, index, "the index", 1);
  STRATA_CHECK(index.dtype == DType::i32 || index.dtype == DType::i64, usage, op,
               fmt::format("the index is {}, expected i32 or i64", index.str()));
}

}  // namespace

std::vector<TensorSpec> GatherRows::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  expect_ndim(kName, inputs[0], "the table", 2);
  check_index(kName, inputs[1]);
  return {{inputs[0].dtype, {inputs[1].shape[0], inputs[0].shape[1]}}};
}

std::vector<Tensor> GatherRows::gradient(const GradientArgs& args) const {
  if (!args.wants(0)) return std::vector<Tensor>(2);
  expect_floating(kName, args.specs[0], "a differentiated table");
  return {run1(args.ctx, ScatterAddRows{args.specs[0].shape[0]}, {args.grad(), args.inputs[1]}), Tensor()};
}

std::vector<TensorSpec> ScatterAddRows::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 2, 2);
  expect_ndim(kName, inputs[0], "x", 2);
  expect_floating(kName, inputs[0], "x");
  check_index(kName, inputs[1]);
  expect_shape(kName, inputs[1], "the index", {inputs[0].shape[0]});
  return {{inputs[0].dtype, {rows, inputs[0].shape[1]}}};
}

std::vector<Tensor> ScatterAddRows::gradient(const GradientArgs& args) const {
  if (!args.wants(0)) return std::vector<Tensor>(2);
  return {run1(args.ctx, GatherRows{}, {args.grad(), args.inputs[1]}), Tensor()};
}

std::vector<TensorSpec> AddRows::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 3, 3);
  const auto &x = inputs[0], &table = inputs[1], &index = inputs[2];
  expect_ndim(kName, x, "x", 2);
  expect_floating(kName, x, "x");
  expect_ndim(kName, table, "the table", 2);
  expect_floating(kName, table, "the table");
  expect_shape(kName, table, "the table", {table.shape[0], x.shape[1]});
  check_index(kName, index);
  expect_shape(kName, index, "the index", {x.shape[0]});
  return {x};
}

Saved AddRows::saves(std::uint32_t needs) const { return {.inputs = (needs & 2u) != 0 ? 4u : 0u}; }

std::vector<Tensor> AddRows::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(3);
  if (args.wants(0)) grads[0] = args.grad();
  if (args.wants(1)) {
    const auto& table = args.specs[1];
    // Converted before the sum: a table in f32 gets an f32 sum also from bf16 rows.
    grads[1] =
        run1(args.ctx, ScatterAddRows{table.shape[0]}, {cast(args.ctx, args.grad(), table.dtype), args.inputs[2]});
  }
  return grads;
}

}  // namespace strata::ops
