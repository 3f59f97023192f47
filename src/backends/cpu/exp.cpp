// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/exp.hpp"

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/softmax.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

void exponential(const ops::Exp&, Inputs in, Outputs out, Context& ctx) {
  const auto kernel = simd(ctx, softmax_simd).exponentials;
  const float* x = memory<float>(in[0]);
  float* y = memory<float>(out[0]);
  parallel_for(ctx, in[0].numel(), kChunk,
               [&](std::int64_t begin, std::int64_t end) { kernel(x + begin, 0.0f, 1.0f, y + begin, end - begin); });
}

}  // namespace

void add_exp(KernelTable& table) { table.add<ops::Exp>("vector f32", exponential, serves::f32); }

}  // namespace strata::cpu
