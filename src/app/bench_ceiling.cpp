// SPDX-License-Identifier: Apache-2.0
#include "app/bench_ceiling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/matmul.hpp"

namespace strata::app {
namespace {

constexpr int kHostCalls = 3, kRounds = 2, kMostCalls = 400;

double seconds_of(const Context& ctx, int calls, const std::function<void()>& call) {
  ctx.synchronise();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) call();
  ctx.synchronise();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / calls;
}

bool on_host(const Context& ctx) { return ctx.backend().device().kind == DeviceKind::host; }

struct Size {
  std::int64_t m, k, n;
};

std::vector<Size> product_sizes(bool host, std::int64_t width) {
  const std::int64_t c = host ? 768 : width;
  std::vector<Size> sizes;
  for (const std::int64_t m : host ? std::vector<std::int64_t>{1176, 9408} : std::vector<std::int64_t>{9408, 65536})
    for (const auto& [k, n] : {std::pair{c, 3 * c}, {c, c}, {c, 4 * c}, {4 * c, c}}) sizes.push_back({m, k, n});
  if (!host)
    for (const std::int64_t edge : {4096, 8192}) sizes.push_back({edge, edge, edge});
  return sizes;
}

// Values in (-1, 1) that repeat: zeros would need less power, and clocks would show it.
Tensor values(Context& ctx, DType dtype, std::int64_t count) {
  std::vector<float> pattern(static_cast<std::size_t>(std::min<std::int64_t>(count, 1 << 20)));
  std::uint32_t state = 1;
  for (auto& value : pattern) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
  }
  const auto length = static_cast<std::int64_t>(pattern.size());
  const Tensor once = ops::cast(ctx, ctx.tensor(pattern, {length}), dtype), all = ctx.empty(dtype, {count});
  for (std::int64_t at = 0; at < count; at += length) {
    const std::int64_t n = std::min(length, count - at);
    ops::run_into(ctx, ops::Copy{}, {once.slice(0, 0, n)}, {all.slice(0, at, at + n)});
  }
  return all;
}

}  // namespace

double seconds_alone(const Context& ctx, const std::function<void()>& call, double round) {
  double best = INFINITY;
  if (on_host(ctx)) {
    for (int i = 0; i < kHostCalls; ++i) best = std::min(best, seconds_of(ctx, 1, call));
    return best;
  }
  call();  // chooses algorithms, takes memory
  const double once = std::max(seconds_of(ctx, 1, call), 1e-7);
  if (once >= round) return once;
  const int calls = std::clamp(static_cast<int>(round / once), 3, kMostCalls);
  for (int i = 0; i < kRounds; ++i) best = std::min(best, seconds_of(ctx, calls, call));
  return best;
}

Ceiling product_ceiling(const WiredBackend& wired, DType dtype, std::int64_t width) {
  Context ctx = wired.context();
  const auto sizes = product_sizes(on_host(ctx), width);
  const auto most = [&](auto count) { return count(*std::ranges::max_element(sizes, {}, count)); };
  const Tensor left = values(ctx, dtype, most([](const Size&s) { return s.m * s.k; })),
               right = values(ctx, dtype, most([](const Size&s) { return s.n * s.k; })),
               result = ctx.empty(dtype, {most([](const Size&s) { return s.m * s.n; })});
  Ceiling best;
  for (const auto& [m, k, n] : sizes) {
    const Tensor x = left.slice(0, 0, m * k).reshape({m, k}), w = right.slice(0, 0, n * k).reshape({n, k}),
                 y = result.slice(0, 0, m * n).reshape({m, n});
    const TensorSpec specs[] = {x.spec(), w.spec()};
    const auto* kernel = wired.table().find(ops::Linear{}, specs);
    STRATA_CHECK(kernel != nullptr && kernel->kernel != "reference", environment, "bench",
                 fmt::format("the {} backend has no fast product in {}", wired.table().backend(), name_of(dtype)),
                 "choose another --dtype or --backend, or --no-ceiling");
    const double seconds = seconds_alone(ctx, [&] { ops::run_into(ctx, ops::Linear{}, {x, w}, {y}); });
    const double rate = 2.0 * static_cast<double>(m * k * n) / seconds;
    if (rate > best.flops_per_second) best = {rate, m, k, n};
  }
  return best;
}

double copy_bandwidth(const WiredBackend& wired) {
  Context ctx = wired.context();
  const std::int64_t elements = std::int64_t{1} << (on_host(ctx) ? 26 : 28);
  const Tensor from = values(ctx, DType::f32, elements), to = ctx.empty(DType::f32, {elements});
  const Device device = ctx.backend().device();
  const auto bytes = static_cast<std::size_t>(from.bytes());
  const double call =
      seconds_alone(ctx, [&] { ctx.backend().copy(to.raw(), device, from.raw(), device, bytes, ctx.stream()); });
  const double kernel = seconds_alone(ctx, [&] { ops::run_into(ctx, ops::Copy{}, {from}, {to}); });
  return 2.0 * static_cast<double>(bytes) / std::min(call, kernel);
}

}  // namespace strata::app
