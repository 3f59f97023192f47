// SPDX-License-Identifier: Apache-2.0
//
// How near the cpu backend comes to its machine: f32 matrix products as a ViT trains them (rates to be compared with
// perf/peer/matmul_torch.py in the same run), and memory-bound kernels against a triad measured between them; attention
// against products in the same type. One JSON line a row. Usage: perf_cpu [threads] [repetitions] [memory | products |
// attention]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/cpu.hpp"
#include "backends/cpu/threads.hpp"
#include "perf/cpu/rates.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/gelu.hpp"
#include "strata/ops/layer_norm.hpp"
#include "strata/ops/matmul.hpp"
#include "strata/ops/softmax.hpp"

namespace strata::perf {

double best_seconds(int repetitions, const std::function<void()>& work) {
  double best = 1e30;
  for (int i = 0; i <= repetitions; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (i > 0 || repetitions == 0) best = std::min(best, seconds);
  }
  return best;
}

Tensor filled(Context& ctx, const Shape& shape, DType dtype) {
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 251) * 0.01f - 1.25f;
  const Tensor x = ctx.tensor(values, shape);
  return dtype == DType::f32 ? x : ops::cast(ctx, x, dtype);
}

namespace {

void products(Context& ctx, int repetitions) {
  for (const std::int64_t m : {1177, 4708, 9408})
    for (const auto& [k, n] :
         {std::pair<std::int64_t, std::int64_t>{768, 768}, {768, 2304}, {768, 3072}, {3072, 768}}) {
      const Tensor x = filled(ctx, {m, k}), w = filled(ctx, {n, k}), b = filled(ctx, {n}), y = filled(ctx, {m, n});
      const Tensor dx = ctx.empty(DType::f32, {m, k}), dw = ctx.empty(DType::f32, {n, k});
      const double flops = 2.0 * static_cast<double>(m * k * n) * 1e-9;
      const auto rate = [&](const std::function<void()>& work) { return flops / best_seconds(repetitions, work); };
      const double forward = rate([&] { ops::run_into(ctx, ops::Linear{}, {x, w, b}, {y}); });
      const double to_x = rate([&] { ops::run_into(ctx, ops::Matmul{}, {y, w}, {dx}); });
      const double to_w = rate([&] { ops::run_into(ctx, ops::Matmul{.transpose_a = true}, {y, x}, {dw}); });
      std::printf(
          "{\"m\": %ld, \"k\": %ld, \"n\": %ld, \"linear_gflops\": %.1f, \"dx_gflops\": %.1f, \"dw_gflops\": %.1f}\n",
          m, k, n, forward, to_x, to_w);
      std::fflush(stdout);
    }
}

// a = b + 3 c over arrays that no cache holds: 12 bytes an element, as STREAM counts.
double triad_rate(Context& ctx, int repetitions, std::int64_t n) {
  std::vector<float> a(static_cast<std::size_t>(n)), b(a.size(), 1.0f), c(a.size(), 2.0f);
  const double seconds = best_seconds(repetitions, [&] {
    cpu::parallel_for(ctx, n, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) a[i] = b[i] + 3.0f * c[i];
    });
  });
  return static_cast<double>(12 * n) * 1e-9 / seconds;
}

void memory_bound(Context& ctx, int repetitions) {
  const std::int64_t rows = 9408, width = 3072, n = rows * width;
  const Tensor x = filled(ctx, {rows, width}), dy = filled(ctx, {rows, width}), gamma = filled(ctx, {width});
  const Tensor y = ctx.empty(DType::f32, {rows, width}), mean = ctx.empty(DType::f32, {rows}),
               rstd = ctx.empty(DType::f32, {rows});
  const Tensor dgamma = ctx.empty(DType::f32, {width}), dbeta = ctx.empty(DType::f32, {width});
  const auto row = [&](const char* name, int arrays, const std::function<void()>& work) {
    const double triad = triad_rate(ctx, repetitions, n);
    const double rate = static_cast<double>(4 * arrays * n) * 1e-9 / best_seconds(repetitions, work);
    std::printf("{\"kernel\": \"%s\", \"gb_per_s\": %.2f, \"triad_gb_per_s\": %.2f, \"share\": %.2f}\n", name, rate,
                triad, rate / triad);
    std::fflush(stdout);
  };
  row("add", 3, [&] { ops::run_into(ctx, ops::Add{}, {x, dy}, {y}); });
  row("layer_norm", 2, [&] { ops::run_into(ctx, ops::LayerNorm{}, {x, gamma, gamma}, {y, mean, rstd}); });
  row("layer_norm_backward", 3, [&] {
    ops::run_into(ctx, ops::LayerNormBackward{}, {x, gamma, mean, rstd, dy}, {y, dgamma, dbeta});
  });
  row("gelu", 2, [&] { ops::run_into(ctx, ops::Gelu{}, {x}, {y}); });
  row("gelu_backward", 3, [&] { ops::run_into(ctx, ops::GeluBackward{}, {x, dy}, {y}); });
  row("softmax", 2, [&] { ops::run_into(ctx, ops::Softmax{}, {x}, {y}); });
}

}  // namespace
}  // namespace strata::perf

int main(int argc, char** argv) {
  using namespace strata;
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0, repetitions = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::string only = argc > 3 ? argv[3] : "";
  const KernelTable table = make_cpu_table();
  Context ctx(make_cpu_backend({.threads = threads}), table);
  const CpuFeatures features = cpu_features();
  std::printf("{\"processor\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"onednn\": \"%s\", \"repetitions\": %d}\n",
              features.model.c_str(), std::string(name_of(cpu_isa(ctx.backend()))).c_str(), cpu_threads(ctx.backend()),
              onednn_version().c_str(), repetitions);
  if (only.empty() || only == "memory") perf::memory_bound(ctx, repetitions);
  if (only.empty() || only == "products") perf::products(ctx, repetitions);
  if (only.empty() || only == "attention") perf::attention_rates(ctx, repetitions);
  if (only == "study") perf::attention_of_a_study(ctx);
  return 0;
}
