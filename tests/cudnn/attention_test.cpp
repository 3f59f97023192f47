// SPDX-License-Identifier: Apache-2.0
//
// What only a device can tell of cuDNN's attention: that its plans are not refused, and that exact gradients are exact.
// Whether they are right is the conformance cases' business.
#include "strata/ops/attention.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "backends/cuda/backend.hpp"
#include "backends/cuda/cuda.hpp"
#include "backends/cuda/cudnn_attention.hpp"
#include "strata/ops/copy.hpp"

namespace strata::cuda {
namespace {

using Lengths = std::vector<std::int64_t>;

constexpr std::int64_t kHeads = 12, kWidth = 64, kColumns = kHeads * kWidth;

// Numbers in [-1, 1) that a hash gives.
Tensor drawn(Context& ctx, const Shape& shape, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint64_t x = (i + 1 + (seed << 40)) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
    values[i] = static_cast<float>(x >> 40) / 8388608.0f - 1;
  }
  return ops::cast(ctx, ctx.tensor(values, shape), DType::bf16);
}

// dq, dk and dv, one after the other, as bits.
std::vector<std::uint8_t> gradients(Context& ctx, const Lengths& lengths) {
  std::vector<std::int32_t> begins{0};
  for (const auto length : lengths) begins.push_back(begins.back() + static_cast<std::int32_t>(length));
  const std::int64_t rows = begins.back(), longest = *std::max_element(lengths.begin(), lengths.end());
  const Tensor offsets = ctx.tensor(begins, {static_cast<std::int64_t>(begins.size())});
  const Tensor qkv = drawn(ctx, {rows, 3 * kColumns}, 1), d_o = drawn(ctx, {rows, kColumns}, 2);
  const auto block = [&](std::int64_t i) { return qkv.slice(1, i * kColumns, (i + 1) * kColumns); };
  const std::vector<Tensor> in{block(0), block(1), block(2), offsets, offsets};
  const auto out = ops::run(ctx, ops::Attention{kWidth, 0.125, longest, longest}, in);
  auto given = in;
  given.insert(given.end(), {out[0], out[1], d_o, Tensor()});
  std::vector<std::uint8_t> bits;
  for (const auto& one : ops::run(ctx, ops::AttentionBackward{kWidth, 0.125, longest, longest}, given)) {
    const Tensor host = ctx.download(one);
    const auto* data = static_cast<const std::uint8_t*>(host.raw());
    bits.insert(bits.end(), data, data + host.numel() * 2);
  }
  return bits;
}

TEST(CudnnAttention, GradientsHaveTheSameBitsEachTimeAndPlansAreNotRefused) {
  if (cuda_devices().devices.empty()) GTEST_SKIP() << "no device";
  const auto backend = make_cuda_backend();
  const KernelTable table = make_cuda_table();
  Context ctx(backend, table);
  const CudnnTools tools = cudnn_tools(ctx);
  if (tools.setting.major != 9) GTEST_SKIP() << "ragged gradients by cuDNN are Hopper's";
  for (const auto& lengths : {Lengths(96, 50), Lengths{1177}, Lengths{197, 1177, 50, 640, 33}, Lengths{5000}}) {
    const std::size_t before = tools.plans.asked();
    const auto first = gradients(ctx, lengths);
    EXPECT_GT(tools.plans.asked(), before) << "cuDNN was not asked";
    EXPECT_EQ(tools.plans.refused(), 0u);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(first == gradients(ctx, lengths)) << lengths.size() << " segments";
  }
}

}  // namespace
}  // namespace strata::cuda
