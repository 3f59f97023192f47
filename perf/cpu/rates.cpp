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
#include "strata/ops/patches.hpp"
#include "strata/ops/reduce.hpp"
#include "strata/ops/softmax.hpp"
#include "strata/ops/step.hpp"

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

// A kernel's bytes, each array read or written once, as a rate and as a share of the triad's.
class Table {
 public:
  Table(Context& ctx, int repetitions, std::int64_t elements)
      : ctx_(ctx), repetitions_(repetitions), elements_(elements) {}
  void row(const char* name, const char* types, std::int64_t bytes, const std::function<void()>& work) const {
    const double triad = triad_rate(ctx_, repetitions_, elements_);
    const double rate = static_cast<double>(bytes) * 1e-9 / best_seconds(repetitions_, work);
    std::printf(
        "{\"kernel\": \"%s\", \"types\": \"%s\", \"gb_per_s\": %.2f, \"triad_gb_per_s\": %.2f, \"share\": %.2f}\n",
        name, types, rate, triad, rate / triad);
    std::fflush(stdout);
  }

 private:
  Context& ctx_;
  int repetitions_;
  std::int64_t elements_;
};

// As wide as the hidden layer of a ViT-B: elementwise, reductions. T is the type under test.
void wide_rows(Context& ctx, const Table& table, DType type) {
  const std::int64_t rows = 9408, width = 3072, n = rows * width;
  const auto e = static_cast<std::int64_t>(size_of(type));
  const char* name = type == DType::f32 ? "f32" : "bf16";
  const Tensor x = ops::cast(ctx, filled(ctx, {rows, width}), type),
               dy = ops::cast(ctx, filled(ctx, {rows, width}), type);
  const Tensor y = ctx.empty(type, {rows, width}), sum = ctx.empty(DType::f32, {width}),
               squares = ctx.empty(DType::f64, {1});
  table.row("add", name, 3 * n * e, [&] { ops::run_into(ctx, ops::Add{}, {x, dy}, {y}); });
  table.row("column sums", name, n * e, [&] { ops::run_into(ctx, ops::Reduce{.wide = true}, {x}, {sum}); });
  table.row("squared norm", name, n * e, [&] { ops::run_into(ctx, ops::SquaredNorms{}, {x}, {squares}); });
  table.row("gelu", name, 2 * n * e, [&] { ops::run_into(ctx, ops::Gelu{}, {x}, {y}); });
  table.row("gelu_backward", name, 3 * n * e, [&] { ops::run_into(ctx, ops::GeluBackward{}, {x, dy}, {y}); });
  table.row("softmax", name, 2 * n * e, [&] { ops::run_into(ctx, ops::Softmax{}, {x}, {y}); });
}

// As wide as the tokens: f32 rows, and what is normed in f32 or, in mixed precision, in bf16.
void token_rows(Context& ctx, const Table& table, DType type) {
  const std::int64_t rows = 18816, width = 768, n = rows * width;
  const auto e = static_cast<std::int64_t>(size_of(type));
  const char* name = type == DType::f32 ? "f32" : "f32 and bf16";
  const Tensor x = filled(ctx, {rows, width}), past = filled(ctx, {rows, width}), gamma = filled(ctx, {width});
  const Tensor branch = ops::cast(ctx, filled(ctx, {rows, width}), type), dx = ctx.empty(DType::f32, {rows, width});
  const Tensor y = ctx.empty(type, {rows, width}), h = ctx.empty(DType::f32, {rows, width});
  const Tensor mean = ctx.empty(DType::f32, {rows}), rstd = ctx.empty(DType::f32, {rows});
  const Tensor dgamma = ctx.empty(DType::f32, {width}), dbeta = ctx.empty(DType::f32, {width});
  table.row("add a branch", name, (8 + e) * n, [&] { ops::run_into(ctx, ops::Add{}, {x, branch}, {h}); });
  table.row("layer_norm", name, (4 + e) * n, [&] {
    ops::run_into(ctx, ops::LayerNorm{1e-6, type}, {x, gamma, gamma}, {y, mean, rstd});
  });
  table.row("add_layer_norm", name, (8 + 2 * e) * n, [&] {
    ops::run_into(ctx, ops::AddLayerNorm{1e-6, type}, {x, branch, gamma, gamma}, {h, y, mean, rstd});
  });
  table.row("layer_norm_backward", name, (8 + e) * n, [&] {
    ops::run_into(ctx, ops::LayerNormBackward{}, {x, gamma, mean, rstd, y}, {dx, dgamma, dbeta});
  });
  table.row("layer_norm_backward, dx alone", name, (8 + e) * n, [&] {
    ops::run_into(ctx, ops::LayerNormBackward{false}, {x, gamma, mean, rstd, y}, {dx, Tensor(), Tensor()});
  });
  if (type == DType::f32) return;
  table.row("layer_norm_backward, residual, narrowed", name, (12 + 2 * e) * n, [&] {
    ops::run_into(ctx, ops::LayerNormBackward{true, type}, {x, gamma, mean, rstd, y, past},
                  {dx, dgamma, dbeta, branch});
  });
}

void voxels(Context& ctx, const Table& table) {
  const Shape shape{8, 1, 48, 224, 224};
  const Tensor scans = ctx.zeros(DType::u8, shape), rows = ctx.empty(DType::bf16, {8 * 1176, 2048});
  const ops::PatchUnfold unfold{.geometry = {}, .scale = 0.01, .shift = -2, .to = DType::bf16};
  table.row("patch_unfold", "u8 to bf16", 3 * shape.numel(), [&] {
    ops::run_into(ctx, unfold, {scans, Tensor()}, {rows});
  });
}

void memory_bound(Context& ctx, int repetitions) {
  const Table table(ctx, repetitions, std::int64_t{9408} * 3072);
  for (const DType type : {DType::f32, DType::bf16}) {
    wide_rows(ctx, table, type);
    token_rows(ctx, table, type);
  }
  voxels(ctx, table);
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
