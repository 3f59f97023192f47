// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/softmax.hpp"

#include "backends/cpu/backend.hpp"
#include "backends/cpu/common.hpp"
#include "backends/cpu/kernels.hpp"
#include "backends/cpu/simd/softmax.hpp"
#include "backends/cpu/threads.hpp"

namespace strata::cpu {
namespace {

std::int64_t columns_of(const Tensor& x) { return x.ndim() == 0 ? 1 : x.dim(-1); }

template <class T>
void softmax(const ops::Softmax&, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = softmax_of<T>(simd(ctx, softmax_simd));
  const T* x = memory<T>(in[0]);
  T* y = memory<T>(out[0]);
  const std::int64_t columns = columns_of(in[0]);
  if (in[0].numel() == 0) return;
  parallel_for(ctx, in[0].numel() / columns, rows_a_chunk(columns), [&](std::int64_t begin, std::int64_t end) {
    kernels.forward(x + begin * columns, y + begin * columns, end - begin, columns);
  });
}

template <class T>
void softmax_backward(const ops::SoftmaxBackward&, Inputs in, Outputs out, Context& ctx) {
  const auto& kernels = softmax_of<T>(simd(ctx, softmax_simd));
  const T* y = memory<T>(in[0]);
  const T* dy = memory<T>(in[1]);
  T* dx = memory<T>(out[0]);
  const std::int64_t columns = columns_of(in[0]);
  if (in[0].numel() == 0) return;
  parallel_for(ctx, in[0].numel() / columns, rows_a_chunk(columns), [&](std::int64_t begin, std::int64_t end) {
    kernels.backward(y + begin * columns, dy + begin * columns, dx + begin * columns, end - begin, columns);
  });
}

}  // namespace

void add_softmax(KernelTable& table) {
  add_both<ops::Softmax>(table, softmax<float>, softmax<std::uint16_t>);
  add_both<ops::SoftmaxBackward>(table, softmax_backward<float>, softmax_backward<std::uint16_t>);
}

}  // namespace strata::cpu
