// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/l2_normalize.hpp"

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/l2_normalize.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

template <class T>
const L2NormalizeOf<T>& kernels_of(const L2NormalizeSimd& kernels) {
  if constexpr (sizeof(T) == 4)
    return kernels.f32;
  else
    return kernels.bf16;
}

template <class T>
void l2_normalize(const ops::L2Normalize& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = kernels_of<T>(simd(ctx, l2_normalize_simd));
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  float* norm = memory<float>(out[1]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    kernels.forward(x + begin * width, y + begin * width, norm + begin, end - begin, width,
                    static_cast<float>(op.epsilon));
  });
}

template <class T>
void l2_normalize_backward(const ops::L2NormalizeBackward& op, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = kernels_of<T>(simd(ctx, l2_normalize_simd));
  const T *y = memory<T>(in[0]), *dy = memory<T>(in[2]);
  const float* norm = memory<float>(in[1]);
  T* dx = memory<T>(out[0]);
  const auto [rows, width] = rows_of(in[0].shape());
  parallel_for(ctx, rows, rows_a_chunk(width), [&, width = width](std::int64_t begin, std::int64_t end) {
    kernels.backward(y + begin * width, norm + begin, dy + begin * width, dx + begin * width, end - begin, width,
                     static_cast<float>(op.epsilon));
  });
}

}  // namespace

void add_l2_normalize(KernelTable& table) {
  add_rows<ops::L2Normalize>(table, l2_normalize<float>, l2_normalize<std::uint16_t>);
  add_rows<ops::L2NormalizeBackward>(table, l2_normalize_backward<float>, l2_normalize_backward<std::uint16_t>);
}

}  // namespace strata::cpu
