// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/map.cuh"
#include "backends/cuda/register.hpp"
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
__global__ void __launch_bounds__(kThreads)
    combine(const T* a, const U* b, T* y, std::int64_t packs, Divisor<std::uint64_t> repeat, F f) {
  struct Both {
    PackBits<T, V> a;
    PackBits<U, V> b;
  };
  const bool repeats = static_cast<std::int64_t>(repeat.by) != packs;
  const auto get = [&](std::int64_t i) {
    const auto at = static_cast<std::uint64_t>(i), j = repeats ? at - repeat.quotient(at) * repeat.by : at;
    return Both{bits_at<V>(a, i), bits_at<V>(b, static_cast<std::int64_t>(j))};
  };
  stream_tile<kOfTwo>(packs, get, [&](std::int64_t i, const Both& both) {
    auto x = both.a.pack();
    const auto other = both.b.pack();
#pragma unroll
    for (int k = 0; k < V; ++k) x.v[k] = narrow<T>(f(widen(x.v[k]), static_cast<Accumulation<T>>(widen(other.v[k]))));
    put_pack(y, i, x);
  });
}

struct Multiple {
  double alpha;
  template <class A>
  __device__ A operator()(A x) const {
    return static_cast<A>(alpha) * x;
  }
};

struct Bounded {
  double low, high;
  template <class A>
  __device__ A operator()(A x) const {
    const A least = static_cast<A>(low), most = static_cast<A>(high);
    return x < least ? least : x > most ? most : x;
  }
};

template <class F>
void pairwise(Inputs in, const Tensor& out, F f, Context& ctx) {
  const std::int64_t n = out.numel(), m = in[1].numel();
  if (n == 0) return;
  const int width = pack_width(std::array{Operand{in[0].raw(), n, size_of(in[0].dtype())},
                                          Operand{in[1].raw(), m, size_of(in[1].dtype())},
                                          Operand{out.raw(), n, size_of(out.dtype())}});
  with_floating(out.dtype(), [&]<class T>(T) {
    with_floating(in[1].dtype(), [&]<class U>(U) {
      constexpr int V = 16 / (sizeof(T) > sizeof(U) ? sizeof(T) : sizeof(U));
      launch("combine", width == 1 ? combine<T, U, 1, F> : combine<T, U, V, F>, over_tiles<kOfTwo>(n / width), ctx,
             pointer<T>(in[0]), pointer<U>(in[1]), pointer<T>(out), n / width, Divisor<std::uint64_t>(m / width), f);
    });
  });
}

void add(const ops::Add&, Inputs in, Outputs out, Context& ctx) { pairwise(in, out[0], Sum{}, ctx); }
void mul(const ops::Mul&, Inputs in, Outputs out, Context& ctx) { pairwise(in, out[0], Product{}, ctx); }

void scale(const ops::Scale& op, Inputs in, Outputs out, Context& ctx) {
  map("scale", in[0], out[0], Multiple{op.alpha}, ctx);
}

void clamp(const ops::Clamp& op, Inputs in, Outputs out, Context& ctx) {
  map("clamp", in[0], out[0], Bounded{op.low, op.high}, ctx);
}

}  // namespace

void register_elementwise(KernelTable& table) {
  table.add<ops::Add>("cuda", add, serves::anything);
  table.add<ops::Mul>("cuda", mul, serves::anything);
  table.add<ops::Scale>("cuda", scale, serves::anything);
  table.add<ops::Clamp>("cuda", clamp, serves::anything);
}

}  // namespace strata::cuda
