// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/l2_normalize.hpp"

#include "backends/cuda/register.hpp"
#include "backends/cuda/rows.cuh"

namespace strata::cuda {
namespace {

template <class L, class T>
__global__ void normalize_rows(const T* x, T* y, Accumulation<T>* norms, std::int64_t rows, int width, double epsilon) {
  using A = Accumulation<T>;
  const A shortest = static_cast<A>(epsilon);
  for (std::int64_t r = first_row<L>(); r < rows; r += all_rows<L>()) {
    const auto read = [&](int c, A(&v)[L::V]) { load<L>(x + r * width, c, width, v); };
    A row[L::K][L::V];
    for_cached<L>(row, width, read);
    A squares = 0;
    for_packs<L>(row, width, read, [&](int, A(&v)[L::V]) {
#pragma unroll
      for (int i = 0; i < L::V; ++i) squares += v[i] * v[i];
    });
    const A norm = std::sqrt(group_sum<L>(squares));
    if (threadIdx.x % L::G == 0) norms[r] = norm;
    const A scale = 1 / (norm < shortest ? shortest : norm);
    for_packs<L>(row, width, read, [&](int c, A(&v)[L::V]) {
#pragma unroll
      for (int i = 0; i < L::V; ++i) v[i] *= scale;
      store<L>(y + r * width, c, width, v);
    });
  }
}

// A pack: V of y, V of dy.
template <class L, class T>
__global__ void normalize_backward_rows(const T* y, const Accumulation<T>* norms, const T* dy, T* dx, std::int64_t rows,
                                        int width, double epsilon) {
  using A = Accumulation<T>;
  constexpr int V = L::V;
  const A shortest = static_cast<A>(epsilon);
  for (std::int64_t r = first_row<L>(); r < rows; r += all_rows<L>()) {
    const A norm = norms[r];
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
    dot = norm < shortest ? A{0} : group_sum<L>(dot);  // rows shorter than epsilon were only scaled
    const A scale = 1 / (norm < shortest ? shortest : norm);
    for_packs<L>(row, width, read, [&](int c, A(&v)[2 * V]) {
#pragma unroll
      for (int i = 0; i < V; ++i) v[i] = (v[V + i] - v[i] * dot) * scale;
      store<L>(dx + r * width, c, width, v);
    });
  }
}

void l2_normalize(const ops::L2Normalize& op, Inputs in, Outputs out, Context& ctx) {
  const Rows rows = rows_of(in[0].shape());
  if (rows.count == 0) return;
  const std::size_t element = size_of(in[0].dtype());
  const bool packed =
      pack_width(std::array{Operand{in[0].raw(), rows.width, element}, Operand{out[0].raw(), rows.width, element}}) > 1;
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_row_layout<T>(rows, packed, [&]<class L>(L, const Launch& shape) {
      launch("l2_normalize", normalize_rows<L, T>, shape, ctx, pointer<T>(in[0]), pointer<T>(out[0]),
             pointer<Accumulation<T>>(out[1]), rows.count, rows.width, op.epsilon);
    });
  });
}

void l2_normalize_backward(const ops::L2NormalizeBackward& op, Inputs in, Outputs out, Context& ctx) {
  const Rows rows = rows_of(in[0].shape());
  if (in[0].numel() == 0) return;
  const std::size_t element = size_of(in[0].dtype());
  const bool packed =
      pack_width(std::array{Operand{in[0].raw(), rows.width, element}, Operand{in[2].raw(), rows.width, element},
                            Operand{out[0].raw(), rows.width, element}}) > 1;
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_row_layout<T>(rows, packed, [&]<class L>(L, const Launch& shape) {
      launch("l2_normalize_backward", normalize_backward_rows<L, T>, shape, ctx, pointer<T>(in[0]),
             pointer<Accumulation<T>>(in[1]), pointer<T>(in[2]), pointer<T>(out[0]), rows.count, rows.width,
             op.epsilon);
    });
  });
}

}  // namespace

void register_l2_normalize(KernelTable& table) {
  table.add<ops::L2Normalize>("cuda", l2_normalize, serves_rows);
  table.add<ops::L2NormalizeBackward>("cuda", l2_normalize_backward, serves_rows);
}

}  // namespace strata::cuda
