// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/matmul.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/onednn.hpp"
#include "backends/cpu/packed_weights.hpp"
#include "strata/ops/copy.hpp"
#include "tests/unit/backends/cpu/machines.hpp"

namespace strata {
namespace {

Tensor drawn(const Context& ctx, const Shape& shape, std::uint64_t stream) {
  return ctx.tensor(test::uniform(shape.numel(), -1, 1, stream), shape);
}

TEST(CpuMatmul, SumsOverNothingGiveZeroOrTheBias) {
  const KernelTable table = make_cpu_table();
  Context ctx(make_cpu_backend(), table);
  const Tensor bias = drawn(ctx, {3}, 1), a = ctx.empty(DType::f32, {4, 0}), w = ctx.empty(DType::f32, {3, 0});
  const auto y = ctx.to_host<float>(ops::run1(ctx, ops::Linear{}, {a, w, bias}));
  const auto expected = ctx.to_host<float>(bias);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], expected[i % 3]);
  EXPECT_EQ(ctx.to_host<float>(ops::matmul(ctx, a, w, false, true)), std::vector<float>(12, 0.0f));
  EXPECT_EQ(ops::matmul(ctx, ctx.empty(DType::f32, {0, 5}), drawn(ctx, {5, 2}, 2)).numel(), 0);
}

TEST(CpuMatmul, KeepsABoundedNumberOfPrimitives) {
  const KernelTable table = make_cpu_table();
  Context ctx(make_cpu_backend({.threads = 1}), table);
  const auto& cache = cpu::cpu_backend(ctx).matmuls();
  const Tensor b = drawn(ctx, {2, 2}, 1);
  for (std::int64_t m = 1; m <= 600; ++m) ops::matmul(ctx, drawn(ctx, {m, 2}, 2), b);
  EXPECT_EQ(cache.size(), cpu::MatmulCache::kCapacity);
  ops::matmul(ctx, drawn(ctx, {600, 2}, 2), b);
  EXPECT_EQ(cache.size(), cpu::MatmulCache::kCapacity);
}

TEST(CpuMatmul, SeveralHostThreadsShareABackend) {
  const KernelTable table = make_cpu_table();
  const auto backend = make_cpu_backend({.threads = 1});
  Context first(backend, table);
  const Tensor a = drawn(first, {70, 33}, 1), b = drawn(first, {33, 50}, 2);
  const auto expected = first.to_host<float>(ops::matmul(first, a, b));
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results)
    threads.emplace_back([&] {
      Context ctx(backend, table);
      for (int i = 0; i < 20; ++i) result = ctx.to_host<float>(ops::matmul(ctx, a, b));
    });
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

// Three panels, so that several threads read one packed weight and have scratch memory of their own.
constexpr std::int64_t kRows = 300, kInner = 96, kColumns = 64;

Tensor halves(Context& ctx, const Shape& shape, std::uint64_t stream) {
  return ops::cast(ctx, drawn(ctx, shape, stream), DType::bf16);
}

double distance(Context& ctx, const Tensor& x, const Tensor& y) {
  const auto a = ctx.to_host<float>(ops::cast(ctx, x, DType::f32)),
             b = ctx.to_host<float>(ops::cast(ctx, y, DType::f32));
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, static_cast<double>(std::abs(a[i] - b[i])));
  return most;
}

TEST(CpuMatmul, APackedWeightFollowsItsContents) {
  const KernelTable table = make_cpu_table();
  Context ctx(make_cpu_backend({.threads = 2}), table);
  if (!cpu::cpu_backend(ctx).matmuls().multiplies(DType::bf16)) GTEST_SKIP() << "no bf16 products on this processor";
  const auto& packed = cpu::cpu_backend(ctx).weights();
  const Tensor a = halves(ctx, {kRows, kInner}, 1);
  {
    const Tensor weight = halves(ctx, {kInner, kColumns}, 2);
    const ops::Matmul op{.weight = true};
    const Tensor first = ops::run1(ctx, op, {a, weight});
    EXPECT_LT(distance(ctx, first, ops::matmul(ctx, a, weight)), 0.1);
    const auto bytes = packed.bytes();
    EXPECT_GE(bytes, kInner * kColumns * 2);
    EXPECT_EQ(distance(ctx, ops::run1(ctx, op, {a, weight}), first), 0);

    ops::run_into(ctx, ops::Copy{}, {halves(ctx, {kInner, kColumns}, 3)}, {weight});
    const Tensor second = ops::run1(ctx, op, {a, weight});
    EXPECT_GT(distance(ctx, second, first), 1);
    EXPECT_LT(distance(ctx, second, ops::matmul(ctx, a, weight)), 0.1);
    EXPECT_EQ(packed.bytes(), bytes) << "packed again into the same memory";
  }
  const Tensor small = halves(ctx, {16, 16}, 4);
  ops::run1(ctx, ops::Matmul{.weight = true}, {halves(ctx, {kRows, 16}, 5), small});
  EXPECT_LT(packed.bytes(), kInner * kColumns * 2) << "the first weight is gone, its packed copy is not";
}

TEST(CpuMatmul, ThreadsOfOneProductDoNotShareScratchMemory) {
  const KernelTable table = make_cpu_table();
  Context one(make_cpu_backend({.threads = 1}), table), three(make_cpu_backend({.threads = 3}), table);
  for (std::uint64_t round = 0; round < 20; ++round) {
    // An odd number of columns makes the library copy its left operand.
    const Tensor x = halves(one, {257, 130}, round), weight = halves(one, {99, 130}, 100 + round);
    EXPECT_LT(distance(one, ops::run1(one, ops::Linear{}, {x, weight}), ops::run1(three, ops::Linear{}, {x, weight})),
              0.2);
  }
}

}  // namespace
}  // namespace strata
