// SPDX-License-Identifier: Apache-2.0
//
// Times the optimizer steps over the parameters of a ViT-B (about 87 million, f32) on the cpu backend and prints JSON:
//   perf_optim [THREADS [REPEATS]]
// Bytes of a step are counted by formula: 4 bytes for each read and each write of p, g, m, v (AdamW 7, SGD with
// momentum and Lion 5, LAMB 7 + 4, squared norms 1, an average 3). The ceilings, in the same run on the same threads:
// `update` a ← a + s·b (3, and as many in truth) and `triad` a ← b + s·c (3, while a is also read before it is
// written). Every figure is the median of the repeats; the best is given beside it, because other work on the machine
// only ever slows.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "backends/cpu/cpu.hpp"
#include "backends/cpu/threads.hpp"
#include "backends/reference/reference.hpp"
#include "strata/optim/ema.hpp"
#include "strata/optim/gradient_norm.hpp"

namespace strata {
namespace {

struct Times {
  double median, best;
};

Times time(int repeats, const std::function<void()>& body) {
  std::vector<double> seconds;
  for (int i = 0; i < repeats + 2; ++i) {  // two to warm up
    const auto begin = std::chrono::steady_clock::now();
    body();
    if (i >= 2) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ranges::sort(seconds);
  return {seconds[seconds.size() / 2], seconds.front()};
}

std::vector<Shape> vit_base() {
  std::vector<Shape> shapes{{1, 1, 768}, {768, 1, 8, 16, 16}, {768}};
  for (int block = 0; block < 12; ++block)
    for (const Shape& shape : {Shape{768},
                               {768},
                               {2304, 768},
                               {2304},
                               {768, 768},
                               {768},
                               {768},
                               {768},
                               {3072, 768},
                               {3072},
                               {768, 3072},
                               {768}})
      shapes.push_back(shape);
  shapes.insert(shapes.end(), {{768}, {768}, {512, 768}});
  return shapes;
}

std::vector<nn::ParameterPtr> parameters(const Context& ctx) {
  std::vector<nn::ParameterPtr> list;
  for (const auto& shape : vit_base()) {
    std::vector<LogicalAxis> axes;
    for (const auto extent : shape.extents()) axes.push_back({"axis", extent});
    std::vector<float> values(static_cast<std::size_t>(shape.numel()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 97) * 1e-3f - 0.05f;
    const auto name = fmt::format("p{}", list.size());
    list.push_back(std::make_shared<nn::Parameter>(name, ctx.tensor(values, shape), axes, nn::Init{}));
    list.back()->set_grad(ctx.tensor(values, shape));
  }
  return list;
}

void print(const std::string& name, const Times& times, double bytes, bool last = false) {
  fmt::print("  \"{}\": {{\"ms\": {:.2f}, \"best_ms\": {:.2f}, \"gb_per_s\": {:.2f}, \"best_gb_per_s\": {:.2f}}}{}\n",
             name, times.median * 1e3, times.best * 1e3, bytes / times.median * 1e-9, bytes / times.best * 1e-9,
             last ? "" : ",");
}

void stream(const Context& ctx, int repeats, std::int64_t n) {
  std::vector<float> a(static_cast<std::size_t>(n)), b(a.size(), 1), c(a.size(), 2);
  const auto over = [&](const auto& body) {
    return time(repeats, [&] {
      cpu::parallel_for(ctx, n, 1 << 16,
                        [&](std::int64_t begin, std::int64_t end) { body(a.data(), b.data(), c.data(), begin, end); });
    });
  };
  const double bytes = 3.0 * 4 * static_cast<double>(n);
  print("triad",
        over([](float* __restrict x, const float* __restrict y, const float* __restrict z, std::int64_t begin,
                std::int64_t end) {
          for (auto i = begin; i < end; ++i) x[i] = y[i] + 0.5f * z[i];
        }),
        bytes);
  print("update",
        over([](float* __restrict x, const float* __restrict y, const float*, std::int64_t begin, std::int64_t end) {
          for (auto i = begin; i < end; ++i) x[i] += 0.5f * y[i];
        }),
        bytes);
}

void run(int threads, int repeats) {
  CpuOptions options;
  options.threads = threads;
  const KernelTable reference = make_reference_table();
  KernelTable table = make_cpu_table();
  table.set_fallback(&reference);
  Context ctx(make_cpu_backend(options), table);
  const auto model = parameters(ctx);
  std::int64_t n = 0;
  for (const auto& p : model) n += p->value().numel();
  const double word = 4 * static_cast<double>(n);
  fmt::print("{{\n  \"cpu\": \"{}\", \"isa\": \"{}\", \"threads\": {}, \"repeats\": {}, \"parameters\": {},\n",
             cpu_features().model, name_of(cpu_isa(ctx.backend())), cpu_threads(ctx.backend()), repeats, n);
  stream(ctx, repeats, n);
  for (const auto& [algorithm, words] : {std::pair{optim::Algorithm::adamw, 7.0},
                                         {optim::Algorithm::lamb, 11.0},
                                         {optim::Algorithm::lion, 5.0},
                                         {optim::Algorithm::sgd, 5.0}}) {
    optim::OptimizerConfig config;
    config.algorithm = algorithm;
    config.momentum = 0.9;
    optim::Optimizer optimizer(config, model);
    print(std::string(name_of(algorithm)), time(repeats, [&] { optimizer.step(ctx, {1e-5, 0.1}); }), words * word);
    if (algorithm != optim::Algorithm::adamw) continue;
    print("squared_norms", time(repeats, [&] { optim::gradient_norm(ctx, optimizer, 1, 1); }), word);
    print("adamw_clipped",
          time(repeats,
               [&] {
                 optimizer.step(ctx, {1e-5, 0.1}, optim::gradient_norm(ctx, optimizer, 1, 1).factor);
               }),
          8 * word);
  }
  std::vector<Tensor> averages, values;
  for (const auto& p : model) {
    averages.push_back(ctx.zeros(DType::f32, p->value().shape()));
    values.push_back(p->value());
  }
  print("ema", time(repeats, [&] { optim::ema_update(ctx, averages, values, 0.999); }), 3 * word, true);
  fmt::print("}}\n");
}

}  // namespace
}  // namespace strata

int main(int argc, char** argv) {
  strata::run(argc > 1 ? std::atoi(argv[1]) : 0, argc > 2 ? std::atoi(argv[2]) : 20);
  return 0;
}
