// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/step.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/unit/backends/cpu/machines.hpp"

namespace strata {
namespace {

using test::uniform;

const std::vector<std::int64_t> kSizes{1, 17, 1000, 16384, 50001};

// Each tensor's p, g, m, v; v is never negative.
std::vector<Tensor> state(const Context& ctx, int parts) {
  std::vector<Tensor> tensors;
  for (const auto n : kSizes)
    for (int part = 0; part < parts; ++part)
      tensors.push_back(
          ctx.tensor(uniform(n, part == 3 ? 0.0f : -1.0f, 1.0f, static_cast<std::uint64_t>(7 * n + part)), {n}));
  return tensors;
}

std::vector<std::vector<float>> to_host(const Context& ctx, const std::vector<Tensor>& tensors) {
  std::vector<std::vector<float>> all;
  for (const auto& tensor : tensors) all.push_back(ctx.to_host<float>(tensor));
  return all;
}

// One step of an op on `parts` tensors a parameter, the gradient among them.
template <class Op>
std::vector<std::vector<float>> step(Context& ctx, const Op& op, const std::vector<double>& hyper, int parts) {
  std::vector<Tensor> inputs{ctx.tensor(hyper, {1, Op::kHyperColumns}), ctx.tensor(std::vector<double>{0.7}, {1})};
  const auto tensors = state(ctx, parts);
  inputs.insert(inputs.end(), tensors.begin(), tensors.end());
  return to_host(ctx, ops::run(ctx, op, inputs));
}

// The same bits on 1, 2 and 3 threads and in every instruction set.
void expect_same_bits(const std::function<std::vector<std::vector<float>>(Context&)>& run) {
  const KernelTable table = make_cpu_table();
  std::vector<std::vector<float>> first;
  for (const auto isa : test::instruction_sets())
    for (int threads : {1, 2, 3}) {
      Context ctx(make_cpu_backend({.threads = threads, .isa = isa}), table);
      const auto result = run(ctx);
      if (first.empty()) first = result;
      EXPECT_EQ(result, first) << name_of(isa) << ", " << threads << " threads";
    }
}

const std::vector<std::int32_t> kOneGroup(kSizes.size(), 0);

TEST(CpuStep, BitsDependNeitherOnThreadsNorOnTheInstructionSet) {
  expect_same_bits([](Context& ctx) {
    return step(ctx, ops::AdamWStep{.groups = kOneGroup}, {1e-2, 0.9, 0.95, 1e-6, 0.2, 0.271, 0.1426}, 4);
  });
  expect_same_bits([](Context& ctx) {
    return step(ctx, ops::LambStep{.groups = kOneGroup}, {1e-2, 0.9, 0.95, 1e-6, 0.2, 0.271, 0.1426, 1}, 4);
  });
  expect_same_bits([](Context& ctx) {
    return step(ctx, ops::SgdStep{.groups = kOneGroup}, {1e-2, 0.9, 0.1, 0.2, 0}, 3);
  });
  expect_same_bits([](Context& ctx) {
    return step(ctx, ops::LionStep{.groups = kOneGroup}, {1e-2, 0.9, 0.99, 0.2}, 3);
  });
}

TEST(CpuStep, SumsOfSquaresHaveTheSameBitsEverywhere) {
  const KernelTable table = make_cpu_table();
  std::vector<double> first;
  for (const auto isa : test::instruction_sets())
    for (int threads : {1, 2, 3}) {
      Context ctx(make_cpu_backend({.threads = threads, .isa = isa}), table);
      const auto sums = ctx.to_host<double>(ops::run(ctx, ops::SquaredNorms{}, state(ctx, 1)).front());
      if (first.empty()) first = sums;
      EXPECT_EQ(sums, first) << name_of(isa) << ", " << threads << " threads";
    }
  const auto values = uniform(kSizes.back(), -1.0f, 1.0f, static_cast<std::uint64_t>(7 * kSizes.back()));
  double expected = 0;
  for (const float x : values) expected += static_cast<double>(x) * static_cast<double>(x);
  EXPECT_NEAR(first.back(), expected, 1e-12 * expected);
}

// The compute copy rounds as BFloat16 does, NaN, infinity and halfway cases included.
TEST(CpuStep, ComputeCopiesRoundToNearestEven) {
  const KernelTable table = make_cpu_table();
  auto values = uniform(5000, -3.0f, 3.0f);
  const std::vector<float> special{NAN,         -NAN,        INFINITY, -INFINITY, 0.0f,      -0.0f,
                                   1.00390625f, 1.01171875f, 3.4e38f,  1e-40f,    1.0039063f};
  values.insert(values.end(), special.begin(), special.end());
  const auto n = static_cast<std::int64_t>(values.size());
  for (const auto isa : test::instruction_sets()) {
    Context ctx(make_cpu_backend({.isa = isa}), table);
    const Tensor p = ctx.tensor(values, {n}), zero = ctx.zeros(DType::f32, {n});
    const Tensor hyper = ctx.tensor(std::vector<double>{0, 0, 0, 0}, {1, 4});
    const Tensor one = ctx.tensor(std::vector<double>{1}, {1});
    const ops::LionStep op{.groups = {0}, .compute_copy = {DType::bf16}};
    const auto copy = ctx.to_host<BFloat16>(ops::run(ctx, op, {hyper, one, p, zero, zero}).back());
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(copy[i].bits, BFloat16(values[i]).bits) << name_of(isa) << " " << values[i];
  }
}

}  // namespace
}  // namespace strata
