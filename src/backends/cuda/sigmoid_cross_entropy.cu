// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/sigmoid_cross_entropy.hpp"

#include <cmath>

#include "backends/cuda/faults.cuh"
#include "backends/cuda/group.cuh"
#include "backends/cuda/loss_rows.cuh"
#include "backends/cuda/register.hpp"

namespace strata::cuda {
namespace {

template <class A>
__device__ __forceinline__ A softplus(A x) {
  return (x > 0 ? x : A{0}) + std::log1p(std::exp(-std::abs(x)));
}

template <class T, class Threads>
__global__ void row_losses(const T* logits, const std::int64_t* target, Accumulation<T>* loss, Faults* faults,
                           std::int64_t rows, std::int64_t width) {
  using A = Accumulation<T>;
  constexpr int V = Threads::kPack;
  for (std::int64_t row = Threads::first_row(); row < rows; row += Threads::all_rows()) {
    const std::int64_t t = target[row];
    A sum = 0;
    Threads::each(logits + row * width, width, -std::numeric_limits<A>::infinity(),
                  [&](std::int64_t c, const A(&x)[V]) {
#pragma unroll
                    for (int k = 0; k < V; ++k) sum += softplus(c + k == t ? -x[k] : x[k]);
                  });
    sum = group_sum<static_cast<int>(Threads::kLanes)>(sum);
    if (Threads::lane() != 0) continue;
    const bool is_column = t >= -1 && t < width;
    loss[row] = is_column ? sum : std::numeric_limits<A>::quiet_NaN();
    if (!is_column) report_fault(faults, FaultPlace::sigmoid_cross_entropy, row, t, width);
  }
}

// σ(x), and at the target σ(x) − 1 = −σ(−x), which keeps its digits.
template <class T, class Threads>
__global__ void row_gradients(const T* logits, const std::int64_t* target, const Accumulation<T>* dloss, T* dlogits,
                              std::int64_t rows, std::int64_t width) {
  using A = Accumulation<T>;
  constexpr int V = Threads::kPack;
  for (std::int64_t row = Threads::first_row(); row < rows; row += Threads::all_rows()) {
    const std::int64_t t = target[row];
    const A grad = dloss[row];
    Threads::each(logits + row * width, width, A{0}, [&](std::int64_t c, A(&x)[V]) {
#pragma unroll
      for (int k = 0; k < V; ++k) {
        const A side = c + k == t ? A{-1} : A{1};
        x[k] = grad * side / (1 + std::exp(-side * x[k]));
      }
      Threads::store(dlogits + row * width, c, width, x);
    });
  }
}

void sigmoid_cross_entropy(const ops::SigmoidCrossEntropy&, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t rows = in[0].dim(0), width = in[0].dim(1);
  if (rows == 0) return;
  const int pack = pack_width(std::array{Operand{in[0].raw(), width, size_of(in[0].dtype())}});
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_row_threads<T>(width, pack, [&]<class Threads>(Threads) {
      launch("sigmoid_cross_entropy", row_losses<T, Threads>, Threads::shape(rows), ctx, pointer<T>(in[0]),
             pointer<std::int64_t>(in[1]), pointer<Accumulation<T>>(out[0]), faults_of(ctx), rows, width);
    });
  });
}

void sigmoid_cross_entropy_backward(const ops::SigmoidCrossEntropyBackward&, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t rows = in[0].dim(0), width = in[0].dim(1);
  if (rows == 0 || width == 0) return;
  const std::size_t element = size_of(in[0].dtype());
  const int pack = pack_width(std::array{Operand{in[0].raw(), width, element}, Operand{out[0].raw(), width, element}});
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_row_threads<T>(width, pack, [&]<class Threads>(Threads) {
      launch("sigmoid_cross_entropy_backward", row_gradients<T, Threads>, Threads::shape(rows), ctx, pointer<T>(in[0]),
             pointer<std::int64_t>(in[1]), pointer<Accumulation<T>>(in[2]), pointer<T>(out[0]), rows, width);
    });
  });
}

}  // namespace

void register_sigmoid_cross_entropy(KernelTable& table) {
  table.add<ops::SigmoidCrossEntropy>("cuda", sigmoid_cross_entropy, serves::anything);
  table.add<ops::SigmoidCrossEntropyBackward>("cuda", sigmoid_cross_entropy_backward, serves::anything);
}

}  // namespace strata::cuda
