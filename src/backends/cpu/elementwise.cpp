// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/elementwise.hpp"

#include <cstring>
#include <vector>

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

template <class T, class B = T>
using Binary = void (*)(const T*, const B*, T*, std::int64_t);

// A short suffix is written out several times first, so that each call has a thousand elements or so.
template <class T>
std::vector<T> repeated(const T* b, std::int64_t n) {
  const std::int64_t times = n < 512 ? 1024 / n : 1;
  std::vector<T> result(static_cast<std::size_t>(times * n));
  for (std::int64_t i = 0; i < times; ++i)
    std::memcpy(result.data() + i * n, b, static_cast<std::size_t>(n) * sizeof(T));
  return result;
}

template <class T, class B>
void binary(Binary<T, B> kernel, Inputs in, Outputs out, const Context& ctx) {
  const T* a = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  const std::int64_t n = in[0].numel(), suffix = in[1].numel();
  if (n == 0) return;
  if (suffix == n) {
    const B* b = memory<B>(in[1]);
    parallel_for(ctx, n, kChunk,
                 [&](std::int64_t begin, std::int64_t end) { kernel(a + begin, b + begin, y + begin, end - begin); });
    return;
  }
  const std::vector<B> b = repeated(memory<B>(in[1]), suffix);
  const auto width = static_cast<std::int64_t>(b.size());
  const std::int64_t grain = rows_a_chunk(width) * width;
  parallel_for(ctx, n, grain, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += width) kernel(a + begin, b.data(), y + begin, std::min(width, end - begin));
  });
}

template <class T, class B>
void add(const ops::Add&, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, elementwise_simd);
  if constexpr (sizeof(T) == sizeof(B))
    binary<T, B>(arithmetic<T>(kernels).add, in, out, ctx);
  else if constexpr (sizeof(T) == 4)
    binary<T, B>(kernels.add_narrow, in, out, ctx);
  else
    binary<T, B>(kernels.add_wide, in, out, ctx);
}

template <DType A, DType B>
bool serves_add(const ops::Add&, Specs in) {
  return in[0].dtype == A && in[1].dtype == B;
}

template <class T>
void mul(const ops::Mul&, Inputs in, Outputs out, Context& ctx) {
  binary<T, T>(arithmetic<T>(simd(ctx, elementwise_simd)).mul, in, out, ctx);
}

template <class T>
void scale(const ops::Scale& op, Inputs in, Outputs out, Context& ctx) {
  const auto kernel = arithmetic<T>(simd(ctx, elementwise_simd)).scale;
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  parallel_for(ctx, in[0].numel(), kChunk, [&](std::int64_t begin, std::int64_t end) {
    kernel(x + begin, static_cast<float>(op.alpha), y + begin, end - begin);
  });
}

void clamp(const ops::Clamp& op, Inputs in, Outputs out, Context& ctx) {
  const auto* x = memory<float>(in[0]);
  auto* y = memory<float>(out[0]);
  const auto low = static_cast<float>(op.low), high = static_cast<float>(op.high);
  parallel_for(ctx, in[0].numel(), kChunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
  });
}

}  // namespace

void add_elementwise(KernelTable& table) {
  add_both<ops::Add>(table, add<float, float>, add<std::uint16_t, std::uint16_t>);
  table.add<ops::Add>("vector f32 + bf16", add<float, std::uint16_t>, serves_add<DType::f32, DType::bf16>);
  table.add<ops::Add>("vector bf16 + f32", add<std::uint16_t, float>, serves_add<DType::bf16, DType::f32>);
  add_both<ops::Mul>(table, mul<float>, mul<std::uint16_t>);
  add_both<ops::Scale>(table, scale<float>, scale<std::uint16_t>);
  table.add<ops::Clamp>("f32", clamp, serves::f32<ops::Clamp>);
}

}  // namespace strata::cpu
