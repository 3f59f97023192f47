// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gelu.hpp"

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/elementwise.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

template <class T>
void gelu(const ops::Gelu&, Inputs in, Outputs out, Context& ctx) {
  const auto kernel = arithmetic<T>(simd(ctx, elementwise_simd)).gelu;
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  parallel_for(ctx, in[0].numel(), kChunk,
               [&](std::int64_t begin, std::int64_t end) { kernel(x + begin, y + begin, end - begin); });
}

template <class T>
void gelu_backward(const ops::GeluBackward&, Inputs in, Outputs out, Context& ctx) {
  const auto kernel = arithmetic<T>(simd(ctx, elementwise_simd)).gelu_backward;
  const T* x = memory<T>(in[0]);
  const T* dy = memory<T>(in[1]);
  T* dx = memory<T>(out[0]);
  parallel_for(ctx, in[0].numel(), kChunk,
               [&](std::int64_t begin, std::int64_t end) { kernel(x + begin, dy + begin, dx + begin, end - begin); });
}

}  // namespace

void add_gelu(KernelTable& table) {
  add_both<ops::Gelu>(table, gelu<float>, gelu<std::uint16_t>);
  add_both<ops::GeluBackward>(table, gelu_backward<float>, gelu_backward<std::uint16_t>);
}

}  // namespace strata::cpu
