// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/exp.hpp"

#include "backends/cuda/launch.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/types.cuh"

namespace strata::cuda {
namespace {

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }

// May run in place.
template <class T, int V>
__global__ void exponentials(const T* x, T* y, std::int64_t packs) {
  for (std::int64_t i = first_item(); i < packs; i += all_items()) {
    auto p = reinterpret_cast<const Pack<T, V>*>(x)[i];
#pragma unroll
    for (int k = 0; k < V; ++k) p.v[k] = narrow<T>(exponential(widen(p.v[k])));
    reinterpret_cast<Pack<T, V>*>(y)[i] = p;
  }
}

void exponential_of(const ops::Exp&, Inputs in, Outputs out, Context& ctx) {
  const std::int64_t n = out[0].numel();
  if (n == 0) return;
  const std::size_t element = size_of(out[0].dtype());
  const int width = pack_width(std::array{Operand{in[0].raw(), n, element}, Operand{out[0].raw(), n, element}});
  const Launch shape = over(n / width);
  with_floating(out[0].dtype(), [&]<class T>(T) {
    constexpr int V = 16 / sizeof(T);
    if (width == 1)
      launch("exp", exponentials<T, 1>, shape, ctx, pointer<T>(in[0]), pointer<T>(out[0]), n);
    else
      launch("exp", exponentials<T, V>, shape, ctx, pointer<T>(in[0]), pointer<T>(out[0]), n / V);
  });
}

}  // namespace

void register_exp(KernelTable& table) { table.add<ops::Exp>("cuda", exponential_of, serves::anything); }

}  // namespace strata::cuda
