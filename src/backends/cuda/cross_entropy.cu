// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/cross_entropy.hpp"

#include <cmath>

#include "backends/cuda/faults.cuh"
#include "backends/cuda/loss_rows.cuh"
#include "backends/cuda/register.hpp"

namespace strata::cuda {
namespace {

// Σ exp(x) as exp(largest) · sum, over the elements seen so far.
template <class A>
struct LogSum {
  A largest = -std::numeric_limits<A>::infinity(), sum = 0;
};

// What exponents are taken relative to: −∞ − −∞ would be NaN.
template <class A>
__device__ __forceinline__ A base_of(A largest) {
  return largest == -std::numeric_limits<A>::infinity() ? A{0} : largest;
}

template <int V, class A>
__device__ __forceinline__ void add(LogSum<A>& all, const A (&x)[V]) {
  A largest = all.largest;
#pragma unroll
  for (int k = 0; k < V; ++k) largest = x[k] > largest ? x[k] : largest;
  const A base = base_of(largest);
  A sum = all.sum * std::exp(all.largest - base);
#pragma unroll
  for (int k = 0; k < V; ++k) sum += std::exp(x[k] - base);
  all = {largest, sum};
}

template <class A>
__device__ __forceinline__ LogSum<A> warp_log_sum(LogSum<A> all) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    const A other = __shfl_xor_sync(0xffffffffu, all.largest, lanes);
    const A other_sum = __shfl_xor_sync(0xffffffffu, all.sum, lanes);
    const A largest = other > all.largest ? other : all.largest, base = base_of(largest);
    all = {largest, all.sum * std::exp(all.largest - base) + other_sum * std::exp(other - base)};
  }
  return all;
}

// Over the threads of a row, in the first of them.
template <class Threads, class A>
__device__ __forceinline__ LogSum<A> row_log_sum(LogSum<A> all) {
  all = warp_log_sum(all);
  if constexpr (Threads::kWide) {
    constexpr unsigned kWarps = kThreads / 32;
    __shared__ A largest[kWarps], sum[kWarps];
    const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    __syncthreads();  // the row before this one has been read
    if (lane == 0) largest[warp] = all.largest, sum[warp] = all.sum;
    __syncthreads();
    if (warp == 0) {
      all = {};
      if (lane < kWarps) all = {largest[lane], sum[lane]};
      all = warp_log_sum(all);
    }
  }
  return all;
}

template <class T, class Threads>
__global__ void row_losses(const T* logits, const std::int64_t* target, Accumulation<T>* loss, Accumulation<T>* lse,
                           Faults* faults, std::int64_t rows, std::int64_t width, std::int64_t ignore) {
  using A = Accumulation<T>;
  constexpr int V = Threads::kPack;
  for (std::int64_t row = Threads::first_row(); row < rows; row += Threads::all_rows()) {
    const T* x = logits + row * width;
    LogSum<A> all;
    Threads::each(x, width, -std::numeric_limits<A>::infinity(),
                  [&](std::int64_t, const A(&logit)[V]) { add(all, logit); });
    all = row_log_sum<Threads>(all);
    if (Threads::lane() != 0) continue;
    const A log_sum = isinf(all.largest) ? A{0} : std::log(all.sum);
    const std::int64_t t = target[row];
    lse[row] = all.largest + log_sum;
    const bool is_class = t >= 0 && t < width;
    if (t == ignore)
      loss[row] = 0;
    else
      loss[row] = is_class ? log_sum + (all.largest - widen(x[t])) : std::numeric_limits<A>::quiet_NaN();
    if (t != ignore && !is_class) report_fault(faults, FaultPlace::cross_entropy, row, t, width);
  }
}

// Near the target's certainty softmax − 1 loses its digits, expm1 does not.
template <class T, class Threads>
__global__ void row_gradients(const T* logits, const std::int64_t* target, const Accumulation<T>* lse,
                              const Accumulation<T>* dloss, T* dlogits, std::int64_t rows, std::int64_t width,
                              std::int64_t ignore) {
  using A = Accumulation<T>;
  constexpr int V = Threads::kPack;
  for (std::int64_t row = Threads::first_row(); row < rows; row += Threads::all_rows()) {
    const std::int64_t t = target[row];
    const A log_sum = lse[row], grad = dloss[row];
    Threads::each(logits + row * width, width, A{0}, [&](std::int64_t c, A(&x)[V]) {
#pragma unroll
      for (int k = 0; k < V; ++k) {
        const A softmax = c + k == t ? std::expm1(x[k] - log_sum) : std::exp(x[k] - log_sum);
        x[k] = t == ignore ? A{0} : grad * softmax;
      }
      Threads::store(dlogits + row * width, c, width, x);
    });
  }
}

void cross_entropy(const ops::CrossEntropy& op, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t rows = in[0].dim(0), width = in[0].dim(1);
  if (rows == 0) return;
  const int pack = pack_width(std::array{Operand{in[0].raw(), width, size_of(in[0].dtype())}});
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_row_threads<T>(width, pack, [&]<class Threads>(Threads) {
      using A = Accumulation<T>;
      launch("cross_entropy", row_losses<T, Threads>, Threads::shape(rows), ctx, pointer<T>(in[0]),
             pointer<std::int64_t>(in[1]), pointer<A>(out[0]), pointer<A>(out[1]), faults_of(ctx), rows, width,
             op.ignore);
    });
  });
}

void cross_entropy_backward(const ops::CrossEntropyBackward& op, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t rows = in[0].dim(0), width = in[0].dim(1);
  if (rows == 0) return;
  const std::size_t element = size_of(in[0].dtype());
  const int pack = pack_width(std::array{Operand{in[0].raw(), width, element}, Operand{out[0].raw(), width, element}});
  with_floating(in[0].dtype(), [&]<class T>(T) {
    with_row_threads<T>(width, pack, [&]<class Threads>(Threads) {
      using A = Accumulation<T>;
      launch("cross_entropy_backward", row_gradients<T, Threads>, Threads::shape(rows), ctx, pointer<T>(in[0]),
             pointer<std::int64_t>(in[1]), pointer<A>(in[2]), pointer<A>(in[3]), pointer<T>(out[0]), rows, width,
             op.ignore);
    });
  });
}

}  // namespace

void register_cross_entropy(KernelTable& table) {
  table.add<ops::CrossEntropy>("cuda", cross_entropy, serves::anything);
  table.add<ops::CrossEntropyBackward>("cuda", cross_entropy_backward, serves::anything);
}

}  // namespace strata::cuda
