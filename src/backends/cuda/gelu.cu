// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gelu.hpp"

#include "backends/cuda/gelu.hpp"
#include "backends/cuda/normal.cuh"
#include "backends/cuda/register.hpp"
#include "backends/cuda/tiles.cuh"

namespace strata::cuda {
namespace {

// Packs of V elements; rows of x are `width` of them, with a gap behind each.
template <class T>
struct Operands {
  const T *x, *dy;
  T *dx, *gelu;  // dx may be dy
  std::int64_t packs, gap;
  Divisor<std::uint64_t> width;
};

// gelu = x · Φ(x), dx = dy · (Φ(x) + x · φ(x)).
template <class T, int V, bool Slope, bool Value>
__global__ void __launch_bounds__(kThreads) activate_packs(Operands<T> o) {
  struct Both {
    PackBits<T, V> x, dy;
  };
  const auto get = [&](std::int64_t i) {
    const auto row = o.gap == 0 ? 0 : static_cast<std::int64_t>(o.width.quotient(static_cast<std::uint64_t>(i)));
    Both both;
    both.x = bits_at<V>(o.x, i + row * o.gap);
    if constexpr (Slope) both.dy = bits_at<V>(o.dy, i);
    return both;
  };
  stream_tile<Slope ? kOfTwo : kOfOne>(o.packs, get, [&](std::int64_t i, const Both& both) {
    auto value = both.x.pack(), slope = both.dy.pack();
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const auto x = widen(value.v[k]);
      const auto normal = normal_at<T>(x);
      if constexpr (Slope) slope.v[k] = narrow<T>(widen(slope.v[k]) * (normal.distribution + x * normal.density));
      if constexpr (Value) value.v[k] = narrow<T>(x * normal.distribution);
    }
    if constexpr (Slope) put_pack(o.dx, i, slope);
    if constexpr (Value) put_pack(o.gelu, i, value);
  });
}

// dy and dx, or gelu, may be undefined.
template <bool Slope, bool Value>
void run(const Tensor& x, const Tensor& dy, const Tensor& dx, const Tensor& gelu, Context& ctx) {
  const std::int64_t n = x.numel();
  if (n == 0) return;
  const Tensor rows = x.is_dense() ? x.reshape({1, n}) : x.rows();
  const std::int64_t width = rows.dim(1), apart = rows.dim(0) > 1 ? rows.stride(0) : width;
  const std::size_t element = size_of(x.dtype());
  const int pack = pack_width(std::array{Operand{rows.raw(), width, element}, Operand{rows.raw(), apart, element},
                                         Operand{dy.defined() ? dy.raw() : nullptr, n, element},
                                         Operand{dx.defined() ? dx.raw() : nullptr, n, element},
                                         Operand{gelu.defined() ? gelu.raw() : nullptr, n, element}});
  with_floating(x.dtype(), [&]<class T>(T) {
    const auto at = [](const Tensor& tensor) { return tensor.defined() ? pointer<T>(tensor) : nullptr; };
    const Operands<T> operands{
        at(rows), at(dy), at(dx), at(gelu), n / pack, (apart - width) / pack, Divisor<std::uint64_t>(width / pack)};
    launch("gelu", pack > 1 ? activate_packs<T, 16 / sizeof(T), Slope, Value> : activate_packs<T, 1, Slope, Value>,
           over_tiles < Slope ? kOfTwo : kOfOne > (n / pack), ctx, operands);
  });
}

void gelu(const ops::Gelu&, Inputs in, Outputs out, Context& ctx) { run<false, true>(in[0], {}, {}, out[0], ctx); }

void gelu_backward(const ops::GeluBackward&, Inputs in, Outputs out, Context& ctx) {
  run<true, false>(in[0], in[1], out[0], {}, ctx);
}

}  // namespace

void activate(const Tensor& x, const Tensor& slope, const Tensor& gelu, Context& ctx) {
  if (slope.defined())
    run<true, true>(x, slope, slope, gelu, ctx);
  else
    run<false, true>(x, {}, {}, gelu, ctx);
}

void register_gelu(KernelTable& table) {
  table.add<ops::Gelu>("cuda", gelu, serves::anything);
  table.add<ops::GeluBackward>("cuda", gelu_backward, serves::anything);
}

}  // namespace strata::cuda
