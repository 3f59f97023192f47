// SPDX-License-Identifier: Apache-2.0
// Attention on any number of threads gives the same bits, also where a segment's keys are cut into several parts, in
// memory that is bounded.
#include "strata/ops/attention.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "backends/reference/reference.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/segments.hpp"
#include "tests/unit/backends/cpu/machines.hpp"

namespace strata {
namespace {

constexpr std::int64_t kHeadWidth = 8, kWidth = 16;

std::vector<float> bits_of(Context& ctx, const std::vector<Tensor>& tensors) {
  std::vector<float> all;
  for (const auto& tensor : tensors) {
    const auto values = ctx.to_host<float>(ops::cast(ctx, tensor, DType::f32));
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

// o, lse, dq, dk, dv of segments of 5, 2300 (two shares of keys, several parts of queries) and 130 tokens.
std::vector<float> run_both(const Context& context, DType dtype) {
  Context ctx = context;
  const auto segments = ops::Segments::from_lengths(ctx, {5, 2300, 130});
  const auto tokens = segments.total();
  const auto matrix = [&](std::uint64_t stream) {
    const Tensor x = ctx.tensor(test::uniform(tokens * kWidth, -2, 2, stream), {tokens, kWidth});
    return ops::cast(ctx, ops::cast(ctx, x, DType::bf16), dtype);  // the same numbers in every type
  };
  const Tensor q = matrix(1), k = matrix(2), v = matrix(3), d_o = matrix(4), offsets = segments.device_offsets();
  const Tensor d_lse = ctx.tensor(test::uniform(2 * tokens, -1, 1, 5), {2, tokens});
  const double scale = 1 / std::sqrt(static_cast<double>(kHeadWidth));
  auto out = ops::run(ctx, ops::Attention{kHeadWidth, scale, 2300, 2300}, {q, k, v, offsets, offsets});
  const auto grads = ops::run(ctx, ops::AttentionBackward{kHeadWidth, scale, 2300, 2300},
                              {q, k, v, offsets, offsets, out[0], out[1], d_o, d_lse});
  out.insert(out.end(), grads.begin(), grads.end());
  return bits_of(ctx, out);
}

double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

class CpuAttention : public testing::TestWithParam<DType> {};

TEST_P(CpuAttention, SameBitsOnAnyNumberOfThreads) {
  const KernelTable table = make_cpu_table(), reference_table = make_reference_table();
  const auto expected = run_both(Context(make_reference_backend(), reference_table), DType::f32);
  for (const auto isa : test::instruction_sets()) {
    SCOPED_TRACE(name_of(isa));
    const auto with = [&](int threads) {
      return run_both(Context(make_cpu_backend({.threads = threads, .isa = isa}), table), GetParam());
    };
    const auto alone = with(1);
    EXPECT_LT(relative_error(alone, expected), GetParam() == DType::f32 ? 3e-6 : 4e-3);
    for (const int threads : {1, 2, 3, 5}) {
      const auto many = with(threads);
      ASSERT_EQ(many.size(), alone.size());
      for (std::size_t i = 0; i < many.size(); ++i)
        ASSERT_EQ(std::bit_cast<std::uint32_t>(many[i]), std::bit_cast<std::uint32_t>(alone[i]))
            << i << ", " << threads << " threads";
    }
  }
}

// Shares of dq in f32 would fill 8 · 4 bytes · 30 000 queries · 128 heads = 117 MiB; 64 MiB is the limit, beside some
// 2 MiB a thread.
TEST_P(CpuAttention, BoundsTheMemoryOfLongSequences) {
  constexpr std::int64_t queries = 30'000, keys = 9, heads = 128, width = heads * kHeadWidth;
  const KernelTable table = make_cpu_table();
  Context ctx(make_cpu_backend({.threads = 2, .cache = false}), table);
  const auto zeros = [&](std::int64_t rows) {
    const Tensor x = ctx.empty(GetParam(), {rows, width});
    std::memset(x.raw(), 0, x.bytes());
    return x;
  };
  const Tensor q = zeros(queries), k = zeros(keys), v = zeros(keys), d_o = zeros(queries);
  const Tensor dq = ctx.empty(GetParam(), {queries, width}), dk = zeros(keys), dv = zeros(keys);
  const Tensor q_offsets = ops::Segments::from_lengths(ctx, {queries}).device_offsets();
  const Tensor k_offsets = ops::Segments::from_lengths(ctx, {keys}).device_offsets();
  const auto work_space = [&](const auto& run) {
    ctx.backend().reset_peak();
    const auto before = ctx.backend().memory().in_use;
    run();
    return ctx.backend().memory().peak - before;
  };
  const Tensor o = ctx.empty(GetParam(), {queries, width}), lse = ctx.empty(DType::f32, {heads, queries});
  EXPECT_LT(
      work_space([&] {
        ops::run_into(ctx, ops::Attention{kHeadWidth, 1, queries, keys}, {q, k, v, q_offsets, k_offsets}, {o, lse});
      }),
      4 << 20);
  EXPECT_LT(work_space([&] {
              ops::run_into(ctx, ops::AttentionBackward{kHeadWidth, 1, queries, keys},
                            {q, k, v, q_offsets, k_offsets, o, lse, d_o, Tensor()}, {dq, dk, dv});
            }),
            70 << 20);
}

INSTANTIATE_TEST_SUITE_P(Cpu, CpuAttention, testing::Values(DType::f32, DType::bf16),
                         [](const auto& param) { return std::string(name_of(param.param)); });

}  // namespace
}  // namespace strata
