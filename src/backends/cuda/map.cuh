// SPDX-License-Identifier: Apache-2.0
//
// y = f(x), element by element: one kernel and one way to start it for every function of one operand.
#pragma once

#include "backends/cuda/tiles.cuh"

namespace strata::cuda {

// May run in place.
template <class T, int V, class F>
__global__ void __launch_bounds__(kThreads) map_packs(const T* x, T* y, std::int64_t packs, F f) {
  stream_tile<kOfOne>(
      packs, [&](std::int64_t i) { return bits_at<V>(x, i); },
      [&](std::int64_t i, const PackBits<T, V>& in) {
        auto p = in.pack();
#pragma unroll
        for (int k = 0; k < V; ++k) p.v[k] = narrow<T>(f(widen(p.v[k])));
        put_pack(y, i, p);
      });
}

// x and y: dense, of one floating type and size. `f` takes and gives the accumulation type.
template <class F>
void map(const char* name, const Tensor& x, const Tensor& y, F f, const Context& ctx) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  const std::size_t element = size_of(y.dtype());
  const int width = pack_width(std::array{Operand{x.raw(), n, element}, Operand{y.raw(), n, element}});
  with_floating(y.dtype(), [&]<class T>(T) {
    constexpr int V = 16 / sizeof(T);
    if (width == 1)
      launch(name, map_packs<T, 1, F>, over_tiles<kOfOne>(n), ctx, pointer<T>(x), pointer<T>(y), n, f);
    else
      launch(name, map_packs<T, V, F>, over_tiles<kOfOne>(n / V), ctx, pointer<T>(x), pointer<T>(y), n / V, f);
  });
}

}  // namespace strata::cuda
