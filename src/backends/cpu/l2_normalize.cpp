// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/l2_normalize.hpp"

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/l2_normalize.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

void l2_normalize(const ops::L2Normalize& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, l2_normalize_simd);
  const float* x = memory<float>(in[0]);
  float *y = memory<float>(out[0]), *norm = memory<float>(out[1]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    kernels.forward(x + begin * width, y + begin * width, norm + begin, end - begin, width,
                    static_cast<float>(op.epsilon));
  });
}

void l2_normalize_backward(const ops::L2NormalizeBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = simd(ctx, l2_normalize_simd);
  const float *y = memory<float>(in[0]), *norm = memory<float>(in[1]), *dy = memory<float>(in[2]);
  float* dx = memory<float>(out[0]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    kernels.backward(y + begin * width, norm + begin, dy + begin * width, dx + begin * width, end - begin, width,
                     static_cast<float>(op.epsilon));
  });
}

}  // namespace

void add_l2_normalize(KernelTable& table) {
  table.add<ops::L2Normalize>("vector f32", l2_normalize, all_are<DType::f32>);
  table.add<ops::L2NormalizeBackward>("vector f32", l2_normalize_backward, all_are<DType::f32>);
}

}  // namespace strata::cpu
