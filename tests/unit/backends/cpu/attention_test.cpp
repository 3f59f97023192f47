// SPDX-License-Identifier: Apache-2.0
// Attention on any number of threads gives the same bits, also where a segment's keys are cut into several parts.
#include "strata/ops/attention.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "backends/reference/reference.hpp"
#include "strata/ops/segments.hpp"
#include "tests/unit/backends/cpu/machines.hpp"

namespace strata {
namespace {

constexpr std::int64_t kHeadWidth = 8, kWidth = 16;

std::vector<float> bits_of(Context& ctx, const std::vector<Tensor>& tensors) {
  std::vector<float> all;
  for (const auto& tensor : tensors) {
    const auto values = ctx.to_host<float>(tensor);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

// o, lse, dq, dk, dv of segments of 5, 2300 (three parts of keys, several of queries) and 130 tokens.
std::vector<float> run_both(const Context& context) {
  Context ctx = context;
  const auto segments = ops::Segments::from_lengths(ctx, {5, 2300, 130});
  const auto tokens = segments.total();
  const auto matrix = [&](std::uint64_t stream) {
    return ctx.tensor(test::uniform(tokens * kWidth, -2, 2, stream), {tokens, kWidth});
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

TEST(CpuAttention, SameBitsOnAnyNumberOfThreads) {
  const KernelTable table = make_cpu_table(), reference_table = make_reference_table();
  const auto expected = run_both(Context(make_reference_backend(), reference_table));
  for (const auto isa : test::instruction_sets()) {
    SCOPED_TRACE(name_of(isa));
    const auto with = [&](int threads) {
      return run_both(Context(make_cpu_backend({.threads = threads, .isa = isa}), table));
    };
    const auto alone = with(1);
    EXPECT_LT(relative_error(alone, expected), 3e-6);
    for (const int threads : {2, 3, 5}) {
      const auto many = with(threads);
      ASSERT_EQ(many.size(), alone.size());
      for (std::size_t i = 0; i < many.size(); ++i)
        ASSERT_EQ(std::bit_cast<std::uint32_t>(many[i]), std::bit_cast<std::uint32_t>(alone[i]))
            << i << ", " << threads << " threads";
    }
  }
}

}  // namespace
}  // namespace strata
