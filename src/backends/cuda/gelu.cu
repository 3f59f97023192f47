// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gelu.hpp"

#include "backends/cuda/launch.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"

namespace strata::cuda {
namespace {

constexpr double kInverseSqrt2 = 0.70710678118654752440;
constexpr double kInverseSqrt2Pi = 0.39894228040143267794;

__device__ __forceinline__ float normal_distribution(float x) {
  return 0.5f * erfcf(-x * static_cast<float>(kInverseSqrt2));
}
__device__ __forceinline__ double normal_distribution(double x) { return 0.5 * erfc(-x * kInverseSqrt2); }
__device__ __forceinline__ float normal_density(float x) {
  return static_cast<float>(kInverseSqrt2Pi) * expf(-0.5f * x * x);
}
__device__ __forceinline__ double normal_density(double x) { return kInverseSqrt2Pi * exp(-0.5 * x * x); }

template <class T, int V>
__global__ void gelu_packs(const T* x, T* y, std::int64_t packs) {
  for (std::int64_t i = first_item(); i < packs; i += all_items()) {
    auto p = reinterpret_cast<const Pack<T, V>*>(x)[i];
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const auto value = widen(p.v[k]);
      p.v[k] = narrow<T>(value * normal_distribution(value));
    }
    reinterpret_cast<Pack<T, V>*>(y)[i] = p;
  }
}

// dx may be dy.
template <class T, int V>
__global__ void gelu_backward_packs(const T* x, const T* dy, T* dx, std::int64_t packs) {
  for (std::int64_t i = first_item(); i < packs; i += all_items()) {
    const auto p = reinterpret_cast<const Pack<T, V>*>(x)[i];
    auto d = reinterpret_cast<const Pack<T, V>*>(dy)[i];
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const auto value = widen(p.v[k]);
      d.v[k] = narrow<T>(widen(d.v[k]) * (normal_distribution(value) + value * normal_density(value)));
    }
    reinterpret_cast<Pack<T, V>*>(dx)[i] = d;
  }
}

void gelu(const ops::Gelu&, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t n = out[0].numel();
  if (n == 0) return;
  const std::size_t element = size_of(out[0].dtype());
  const int width = pack_width(std::array{Operand{in[0].raw(), n, element}, Operand{out[0].raw(), n, element}});
  const Launch shape = over(n / width);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    constexpr int V = 16 / sizeof(T);
    if (width == 1)
      launch("gelu", gelu_packs<T, 1>, shape, ctx, pointer<T>(in[0]), pointer<T>(out[0]), n);
    else
      launch("gelu", gelu_packs<T, V>, shape, ctx, pointer<T>(in[0]), pointer<T>(out[0]), n / V);
  });
}

void gelu_backward(const ops::GeluBackward&, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t n = out[0].numel();
  if (n == 0) return;
  const std::size_t element = size_of(out[0].dtype());
  const int width = pack_width(std::array{Operand{in[0].raw(), n, element}, Operand{in[1].raw(), n, element},
                                          Operand{out[0].raw(), n, element}});
  const Launch shape = over(n / width);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    constexpr int V = 16 / sizeof(T);
    const auto run = [&](auto kernel, std::int64_t packs) {
      launch("gelu_backward", kernel, shape, ctx, pointer<T>(in[0]), pointer<T>(in[1]), pointer<T>(out[0]), packs);
    };
    if (width == 1)
      run(gelu_backward_packs<T, 1>, n);
    else
      run(gelu_backward_packs<T, V>, n / V);
  });
}

}  // namespace

void register_gelu(KernelTable& table) {
  table.add<ops::Gelu>("cuda", gelu, serves::anything);
  table.add<ops::GeluBackward>("cuda", gelu_backward, serves::anything);
}

}  // namespace strata::cuda
