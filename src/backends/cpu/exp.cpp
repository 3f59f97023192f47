// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/exp.hpp"

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/softmax.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

template <class T>
void exponential(const ops::Exp&, Inputs in, Outputs out, Context& ctx) {
  const auto kernel = softmax_of<T>(simd(ctx, softmax_simd)).exponentials;
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  parallel_for(ctx, in[0].numel(), kChunk,
               [&](std::int64_t begin, std::int64_t end) { kernel(x + begin, 0.0f, 1.0f, y + begin, end - begin); });
}

}  // namespace

void add_exp(KernelTable& table) { add_both<ops::Exp>(table, exponential<float>, exponential<std::uint16_t>); }

}  // namespace strata::cpu
