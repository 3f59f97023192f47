// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/matmul.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/onednn.hpp"
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

}  // namespace
}  // namespace strata
