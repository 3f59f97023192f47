// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/softmax.hpp"

#include "backends/cpu/backend.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/softmax.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

std::int64_t columns_of(const Tensor& x) { return x.ndim() == 0 ? 1 : x.dim(-1); }

void softmax(const ops::Softmax&, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, softmax_simd);
  const float* x = in[0].data<float>();
  float* y = out[0].data<float>();
  const std::int64_t columns = columns_of(in[0]);
  if (in[0].numel() == 0) return;
  parallel_for(ctx, in[0].numel() / columns, rows_a_chunk(columns), [&](std::int64_t begin, std::int64_t end) {
    kernels.forward(x + begin * columns, y + begin * columns, end - begin, columns);
  });
}

void softmax_backward(const ops::SoftmaxBackward&, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, softmax_simd);
  const float* y = in[0].data<float>();
  const float* dy = in[1].data<float>();
  float* dx = out[0].data<float>();
  const std::int64_t columns = columns_of(in[0]);
  if (in[0].numel() == 0) return;
  parallel_for(ctx, in[0].numel() / columns, rows_a_chunk(columns), [&](std::int64_t begin, std::int64_t end) {
    kernels.backward(y + begin * columns, dy + begin * columns, dx + begin * columns, end - begin, columns);
  });
}

}  // namespace

void add_softmax(KernelTable& table) {
  table.add<ops::Softmax>("vector f32", softmax, serves::f32);
  table.add<ops::SoftmaxBackward>("vector f32", softmax_backward, serves::f32);
}

}  // namespace strata::cpu
