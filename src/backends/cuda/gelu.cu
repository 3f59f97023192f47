// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gelu.hpp"

#include "backends/cuda/map.cuh"
#include "backends/cuda/normal.cuh"
#include "backends/cuda/register.hpp"

namespace strata::cuda {
namespace {

struct Gelu {
  template <class A>
  __device__ A operator()(A x) const {
    return x * normal_distribution(x);
  }
};

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

void gelu(const ops::Gelu&, Inputs in, Outputs out, Context& ctx) { map("gelu", in[0], out[0], Gelu{}, ctx); }

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
