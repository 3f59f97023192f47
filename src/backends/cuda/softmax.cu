// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/softmax.hpp"

#include "backends/cuda/register.hpp"
#include "backends/cuda/rows.cuh"

namespace strata::cuda {
namespace {

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }

template <class L, class T>
__global__ void softmax_rows(const T* x, T* y, std::int64_t rows, int width) {
  using A = Accumulation<T>;
  for (std::int64_t r = first_row<L>(); r < rows; r += all_rows<L>()) {
    const auto read = [&](int c, A(&v)[L::V]) { load<L>(x + r * width, c, width, v); };
    A row[L::K][L::V];
    for_cached<L>(row, width, read);
    A largest = -std::numeric_limits<A>::infinity(), sum = 0;
    for_packs<L>(row, width, read, [&](int c, A(&v)[L::V]) {
#pragma unroll
      for (int i = 0; i < L::V; ++i)
        if (in_row<L>(c + i, width)) largest = v[i] > largest ? v[i] : largest;
    });
    largest = group_reduce<L::G>(largest, [](A a, A b) { return b > a ? b : a; });
    const auto raised = [&](int c, A(&v)[L::V]) {
      read(c, v);
#pragma unroll
      for (int i = 0; i < L::V; ++i) v[i] = exponential(v[i] - largest);
    };
    for_cached<L>(row, width, [&](int, A(&v)[L::V]) {
#pragma unroll
      for (int i = 0; i < L::V; ++i) v[i] = exponential(v[i] - largest);
    });
    for_packs<L>(row, width, raised, [&](int c, A(&v)[L::V]) {
#pragma unroll
      for (int i = 0; i < L::V; ++i)
        if (in_row<L>(c + i, width)) sum += v[i];
    });
    const A scale = 1 / group_sum<L>(sum);
    for_packs<L>(row, width, raised, [&](int c, A(&v)[L::V]) {
#pragma unroll
      for (int i = 0; i < L::V; ++i) v[i] *= scale;
      store<L>(y + r * width, c, width, v);
    });
  }
}

// A pack: V of y, V of dy.
template <class L, class T>
__global__ void softmax_backward_rows(const T* y, const T* dy, T* dx, std::int64_t rows, int width) {
  using A = Accumulation<T>;
  constexpr int V = L::V;
  for (std::int64_t r = first_row<L>(); r < rows; r += all_rows<L>()) {
    const auto read = [&](int c, A(&v)[2 * V]) {
      load<L>(y + r * width, c, width, v);
      load<L>(dy + r * width, c, width, v, V);
    };
    A row[L::K][2 * V];
    for_cached<L>(row, width, read);
    A dot = 0;
    for_packs<L>(row, width, read, [&](int, A(&v)[2 * V]) {
#pragma unroll
      for (int i = 0; i < V; ++i) dot += v[i] * v[V + i];
    });
    dot = group_sum<L>(dot);
    for_packs<L>(row, width, read, [&](int c, A(&v)[2 * V]) {
#pragma unroll
      for (int i = 0; i < V; ++i) v[i] *= v[V + i] - dot;
      store<L>(dx + r * width, c, width, v);
    });
  }
}

void softmax(const ops::Softmax&, Inputs in, Outputs out, Context& ctx) {
  const Rows rows = rows_of(in[0].shape());
  if (in[0].numel() == 0) return;
  const std::size_t element = size_of(in[0].dtype());
  const bool packed =
      pack_width(std::array{Operand{in[0].raw(), rows.width, element}, Operand{out[0].raw(), rows.width, element}}) > 1;
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_row_layout<T>(rows, packed, [&]<class L>(L, const Launch& shape) {
      launch("softmax", softmax_rows<L, T>, shape, ctx, pointer<T>(in[0]), pointer<T>(out[0]), rows.count, rows.width);
    });
  });
}

void softmax_backward(const ops::SoftmaxBackward&, Inputs in, Outputs out, Context& ctx) {
  const Rows rows = rows_of(in[0].shape());
  if (in[0].numel() == 0) return;
  const std::size_t element = size_of(in[0].dtype());
  const bool packed =
      pack_width(std::array{Operand{in[0].raw(), rows.width, element}, Operand{in[1].raw(), rows.width, element},
                            Operand{out[0].raw(), rows.width, element}}) > 1;
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_row_layout<T>(rows, packed, [&]<class L>(L, const Launch& shape) {
      launch("softmax_backward", softmax_backward_rows<L, T>, shape, ctx, pointer<T>(in[0]), pointer<T>(in[1]),
             pointer<T>(out[0]), rows.count, rows.width);
    });
  });
}

}  // namespace

void register_softmax(KernelTable& table) {
  table.add<ops::Softmax>("cuda", softmax, serves_rows);
  table.add<ops::SoftmaxBackward>("cuda", softmax_backward, serves_rows);
}

}  // namespace strata::cuda
