// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/backend.hpp"
#include "backends/cuda/check.hpp"
#include "backends/cuda/launch.hpp"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"
#include "strata/ops/elementwise.hpp"

namespace strata::cuda {
namespace {

struct Sum {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return a + b;
  }
};
struct Product {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return a * b;
  }
};

// y = f(a, b), b repeated: `packs` packs of V elements of a and y, `repeat` of b. May run in place.
template <class T, class U, int V, class F>
__global__ void combine(const T* a, const U* b, T* y, std::int64_t packs, std::int64_t repeat, F f) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < packs; i += step) {
    auto x = reinterpret_cast<const Pack<T, V>*>(a)[i];
    const auto other = reinterpret_cast<const Pack<U, V>*>(b)[repeat == packs ? i : i % repeat];
#pragma unroll
    for (int k = 0; k < V; ++k)
      x.v[k] = narrow<T>(f(widen(x.v[k]), static_cast<Accumulation<T>>(widen(other.v[k]))));
    reinterpret_cast<Pack<T, V>*>(y)[i] = x;
  }
}

template <class T, int V>
__global__ void multiply(const T* x, T* y, std::int64_t packs, double alpha) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < packs; i += step) {
    auto p = reinterpret_cast<const Pack<T, V>*>(x)[i];
#pragma unroll
    for (int k = 0; k < V; ++k) p.v[k] = narrow<T>(static_cast<Accumulation<T>>(alpha) * widen(p.v[k]));
    reinterpret_cast<Pack<T, V>*>(y)[i] = p;
  }
}

template <class F>
void pairwise(Inputs in, const Tensor& out, F f, Context& ctx) {
  const std::int64_t n = out.numel(), m = in[1].numel();
  if (n == 0) return;
  const cudaStream_t stream = stream_of(ctx);
  const int width = pack_width(std::array{Operand{in[0].raw(), n, size_of(in[0].dtype())},
                                          Operand{in[1].raw(), m, size_of(in[1].dtype())},
                                          Operand{out.raw(), n, size_of(out.dtype())}});
  with_floating(out.dtype(), [&]<class T>(T) {
    with_floating(in[1].dtype(), [&]<class U>(U) {
      constexpr int V = 16 / (sizeof(T) > sizeof(U) ? sizeof(T) : sizeof(U));
      const Launch shape = over(n / width);
      if (width == 1)
        combine<T, U, 1><<<shape.blocks, shape.threads, 0, stream>>>(pointer<T>(in[0]), pointer<U>(in[1]),
                                                                     pointer<T>(out), n, m, f);
      else
        combine<T, U, V><<<shape.blocks, shape.threads, 0, stream>>>(pointer<T>(in[0]), pointer<U>(in[1]),
                                                                     pointer<T>(out), n / V, m / V, f);
    });
  });
  check_launch("combine");
}

void add(const ops::Add&, Inputs in, Outputs out, Context& ctx) { pairwise(in, out[0], Sum{}, ctx); }
void mul(const ops::Mul&, Inputs in, Outputs out, Context& ctx) { pairwise(in, out[0], Product{}, ctx); }

void scale(const ops::Scale& op, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t n = out[0].numel();
  if (n == 0) return;
  const cudaStream_t stream = stream_of(ctx);
  const std::size_t element = size_of(out[0].dtype());
  const int width = pack_width(std::array{Operand{in[0].raw(), n, element}, Operand{out[0].raw(), n, element}});
  const Launch shape = over(n / width);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    if (width == 1)
      multiply<T, 1><<<shape.blocks, shape.threads, 0, stream>>>(pointer<T>(in[0]), pointer<T>(out[0]), n, op.alpha);
    else
      multiply<T, 16 / sizeof(T)><<<shape.blocks, shape.threads, 0, stream>>>(
          pointer<T>(in[0]), pointer<T>(out[0]), n / static_cast<std::int64_t>(16 / sizeof(T)), op.alpha);
  });
  check_launch("multiply");
}

}  // namespace

void register_elementwise(KernelTable& table) {
  table.add<ops::Add>("cuda", add, serves::anything);
  table.add<ops::Mul>("cuda", mul, serves::anything);
  table.add<ops::Scale>("cuda", scale, serves::anything);
}

}  // namespace strata::cuda
