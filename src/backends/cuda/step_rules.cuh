// SPDX-License-Identifier: Apache-2.0
//
// The tensors of the step ops (strata/ops/step.hpp), and the arithmetic on one element. A rule is made on the device,
// of a row of hyper and the factor; its numbers are formed in f64 and rounded once.
#pragma once

#include <cmath>

#include "backends/cuda/step_batch.cuh"
#include "strata/ops/step.hpp"

namespace strata::cuda {

// `g` is as it lies in memory; moments that there are none of are 0.
template <class A>
struct StepElement {
  A p, g, m, v;
};

struct StepTensor {
  void *p, *m, *v, *copy;  // null where there is none
  const void* g;
  std::int64_t numel;
  std::int32_t group;
  DType g_type, copy_type;
  bool packed;
};
using StepBatch = Batch<StepTensor, 56, 4096>;

// The elements of a tensor that a thread holds, `n` of them.
template <class T, bool SecondMoment>
struct Held {
  using A = Accumulation<T>;
  static constexpr int V = kTogether<T>;
  A p[V], g[V], m[V], v[V];
  int n;

  __device__ void load_values(const StepTensor& t, std::int64_t at, std::int64_t end) {
    n = static_cast<int>(end - at < V ? end - at : V);
    load(static_cast<const T*>(t.p) + at, n, t.packed, p);
  }
  __device__ void load_moments(const StepTensor& t, std::int64_t at) {
    if (t.m != nullptr)
      load(static_cast<const T*>(t.m) + at, n, t.packed, m);
    else
      load(static_cast<const T*>(nullptr), 0, false, m);
    if constexpr (SecondMoment) load(static_cast<const T*>(t.v) + at, n, t.packed, v);
  }
  __device__ void load_gradient(const StepTensor& t, std::int64_t at) { load(t.g, t.g_type, at, n, t.packed, g); }
  __device__ void save_moments(const StepTensor& t, std::int64_t at) const {
    if (t.m != nullptr) save(static_cast<T*>(t.m) + at, n, t.packed, m);
    if constexpr (SecondMoment) save(static_cast<T*>(t.v) + at, n, t.packed, v);
  }
  __device__ void save_values(const StepTensor& t, std::int64_t at) const {
    save(static_cast<T*>(t.p) + at, n, t.packed, p);
  }
  __device__ void save_copy(const StepTensor& t, std::int64_t at) const {
    if (t.copy != nullptr) save(t.copy, t.copy_type, at, n, t.packed, p);
  }
  // Runs f on each element as the rules take it.
  template <class F>
  __device__ void each(F&& f) {
#pragma unroll
    for (int k = 0; k < V; ++k) {
      StepElement<A> e{p[k], g[k], m[k], A{0}};
      if constexpr (SecondMoment) e.v = v[k];
      f(e);
      p[k] = e.p, m[k] = e.m;
      if constexpr (SecondMoment) v[k] = e.v;
    }
  }
};

// What of an op's fields its rule wants to know.
struct StepOptions {
  bool decoupled = true, nesterov = false;
};

template <class A>
struct AdamWRule {
  using Op = ops::AdamWStep;
  static constexpr bool kSecondMoment = true;
  A factor, keep, l2, blend1, beta2, blend2, step, root_scale, eps;

  __device__ AdamWRule(const double* h, double by, StepOptions options)
      : factor(static_cast<A>(by)),
        keep(static_cast<A>(options.decoupled ? 1 - h[0] * h[4] : 1.0)),
        l2(static_cast<A>(options.decoupled ? 0.0 : h[4])),
        blend1(static_cast<A>(1 - h[1])),
        beta2(static_cast<A>(h[2])),
        blend2(static_cast<A>(1 - h[2])),
        step(static_cast<A>(h[0] / h[5])),
        root_scale(static_cast<A>(1 / std::sqrt(h[6]))),
        eps(static_cast<A>(h[3])) {}

  __device__ void operator()(StepElement<A>& e, bool) const {
    const A g = factor * e.g + l2 * e.p;
    e.m += blend1 * (g - e.m);
    e.v = beta2 * e.v + blend2 * g * g;
    e.p = keep * e.p - step * e.m / (std::sqrt(e.v) * root_scale + eps);
  }
};

template <class A>
struct SgdRule {
  using Op = ops::SgdStep;
  static constexpr bool kSecondMoment = false;
  A factor, l2, lr, momentum, blend;
  bool first, nesterov;

  __device__ SgdRule(const double* h, double by, StepOptions options)
      : factor(static_cast<A>(by)),
        l2(static_cast<A>(h[3])),
        lr(static_cast<A>(h[0])),
        momentum(static_cast<A>(h[1])),
        blend(static_cast<A>(1 - h[2])),
        first(h[4] != 0),
        nesterov(options.nesterov) {}

  __device__ void operator()(StepElement<A>& e, bool has_momentum) const {
    const A g = factor * e.g + l2 * e.p;
    e.m = first ? g : momentum * e.m + blend * g;
    e.p -= lr * (!has_momentum ? g : nesterov ? g + momentum * e.m : e.m);
  }
};

template <class A>
struct LionRule {
  using Op = ops::LionStep;
  static constexpr bool kSecondMoment = false;
  A factor, keep, lr, beta1, blend1, beta2, blend2;

  __device__ LionRule(const double* h, double by, StepOptions)
      : factor(static_cast<A>(by)),
        keep(static_cast<A>(1 - h[0] * h[3])),
        lr(static_cast<A>(h[0])),
        beta1(static_cast<A>(h[1])),
        blend1(static_cast<A>(1 - h[1])),
        beta2(static_cast<A>(h[2])),
        blend2(static_cast<A>(1 - h[2])) {}

  __device__ void operator()(StepElement<A>& e, bool) const {
    const A g = factor * e.g, direction = beta1 * e.m + blend1 * g;
    e.p = keep * e.p - (direction > 0 ? lr : direction < 0 ? -lr : A{0});
    e.m = beta2 * e.m + blend2 * g;
  }
};

template <class A>
struct LambRule {
  using Op = ops::LambStep;
  static constexpr bool kSecondMoment = true;
  A factor, decay, blend1, beta2, blend2, inverse_bias1, root_scale, eps;

  __device__ LambRule(const double* h, double by)
      : factor(static_cast<A>(by)),
        decay(static_cast<A>(h[4])),
        blend1(static_cast<A>(1 - h[1])),
        beta2(static_cast<A>(h[2])),
        blend2(static_cast<A>(1 - h[2])),
        inverse_bias1(static_cast<A>(1 / h[5])),
        root_scale(static_cast<A>(1 / std::sqrt(h[6]))),
        eps(static_cast<A>(h[3])) {}

  __device__ void moments(StepElement<A>& e) const {
    const A g = factor * e.g;
    e.m += blend1 * (g - e.m);
    e.v = beta2 * e.v + blend2 * g * g;
  }
  __device__ A direction(const StepElement<A>& e) const {
    return e.m * inverse_bias1 / (std::sqrt(e.v) * root_scale + eps) + decay * e.p;
  }
};

}  // namespace strata::cuda
