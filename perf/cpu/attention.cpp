// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "perf/cpu/rates.hpp"
#include "strata/ops/attention.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/segments.hpp"

namespace strata::perf {
namespace {

constexpr std::int64_t kHeadWidth = 64;

// GFLOP/s of the best of some products as a ViT has them.
double product_rate(Context& ctx, int repetitions, DType dtype) {
  double best = 0;
  for (const auto& [m, k, n] : {std::array<std::int64_t, 3>{1177, 768, 3072}, {4708, 768, 2304}, {4708, 3072, 768}}) {
    const Tensor x = filled(ctx, {m, k}, dtype), w = filled(ctx, {n, k}, dtype), y = ctx.empty(dtype, {m, n});
    const double seconds = best_seconds(repetitions, [&] { ops::run_into(ctx, ops::Linear{}, {x, w, Tensor()}, {y}); });
    best = std::max(best, 2e-9 * static_cast<double>(m * k * n) / seconds);
  }
  return best;
}

// 4·Tq·Tk·C forward, 8·Tq·Tk·C backward.
void sequences(Context& ctx, int repetitions, DType dtype, std::int64_t count, std::int64_t length, std::int64_t width,
               double product) {
  const auto segments =
      ops::Segments::from_lengths(ctx, std::vector<std::int64_t>(static_cast<std::size_t>(count), length));
  const std::int64_t tokens = count * length;
  const Tensor qkv = filled(ctx, {tokens, 3 * width}, dtype), d_qkv = ctx.empty(dtype, {tokens, 3 * width});
  const auto part = [&](const Tensor& of, std::int64_t i) { return of.slice(1, i * width, (i + 1) * width); };
  const Tensor o = ctx.empty(dtype, {tokens, width}), d_o = filled(ctx, {tokens, width}, dtype),
               lse = ctx.empty(DType::f32, {width / kHeadWidth, tokens}), offsets = segments.device_offsets();
  const double scale = 1 / std::sqrt(static_cast<double>(kHeadWidth));
  const ops::Attention op{kHeadWidth, scale, length, length};
  const ops::AttentionBackward backward_op{kHeadWidth, scale, length, length};
  const double gigaflops = 4e-9 * static_cast<double>(count) * static_cast<double>(length * length * width);
  ctx.backend().reset_peak();
  const auto before = ctx.backend().memory().in_use;
  const double forward =
      gigaflops / best_seconds(repetitions, [&] {
        ops::run_into(ctx, op, {part(qkv, 0), part(qkv, 1), part(qkv, 2), offsets, offsets}, {o, lse});
      });
  const double backward =
      2 * gigaflops / best_seconds(repetitions, [&] {
        ops::run_into(ctx, backward_op,
                      {part(qkv, 0), part(qkv, 1), part(qkv, 2), offsets, offsets, o, lse, d_o, Tensor()},
                      {part(d_qkv, 0), part(d_qkv, 1), part(d_qkv, 2)});
      });
  std::printf(
      "{\"attention\": \"%s\", \"sequences\": %ld, \"tokens\": %ld, \"width\": %ld, \"forward_gflops\": %.1f, "
      "\"backward_gflops\": %.1f, \"product_gflops\": %.1f, \"work_space_mib\": %.1f}\n",
      std::string(name_of(dtype)).c_str(), count, length, width, forward, backward, product,
      static_cast<double>(ctx.backend().memory().peak - before) / (1 << 20));
  std::fflush(stdout);
}

}  // namespace

void attention_rates(Context& ctx, int repetitions) {
  for (const DType dtype : {DType::bf16, DType::f32}) {
    const double product = product_rate(ctx, repetitions, dtype);
    sequences(ctx, repetitions, dtype, 48, 197, 768, product);
    sequences(ctx, repetitions, dtype, 8, 1177, 768, product);
    sequences(ctx, repetitions, dtype, 1, 9409, 768, product);
  }
}

void attention_of_a_study(Context& ctx) {
  sequences(ctx, 0, DType::bf16, 1, 47'040, 768, product_rate(ctx, 1, DType::bf16));
}

}  // namespace strata::perf
