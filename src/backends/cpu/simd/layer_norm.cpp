// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/layer_norm.hpp"

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// A row stays in the first-level cache over the passes below, so memory is read once.

template <class X>
STRATA_INLINE float mean_of(const X* x, std::int64_t columns) {
  return fold(
             columns, [=](Block at) __attribute__((always_inline)) { return at.load(x); }) /
         static_cast<float>(columns);
}

template <class X>
STRATA_INLINE float variance_of(const X* x, std::int64_t columns, float mean) {
  const Floats centre = splat(mean);
  return fold(
             columns,
             [=](Block at) __attribute__((always_inline)) {
               const Floats d = at.load(x, mean) - centre;
               return d * d;
             }) /
         static_cast<float>(columns);
}

template <class X, class Y>
STRATA_INLINE void normalise(const X* x, const float* gamma, const float* beta, Y* y, float* mean, float* rstd,
                             std::int64_t columns, float epsilon) {
  const float m = mean_of(x, columns);
  const float r = 1.0f / __builtin_sqrtf(variance_of(x, columns, m) + epsilon);
  *mean = m;
  *rstd = r;
  each(
      columns, [=](Block at) __attribute__((always_inline)) {
        Floats v = (at.load(x) - splat(m)) * splat(r);
        if (gamma != nullptr) v = v * at.load(gamma);
        if (beta != nullptr) v = v + at.load(beta);
        at.store(y, v);
      });
}

template <class X, class Y>
void forward(const X* x, const float* gamma, const float* beta, Y* y, float* mean, float* rstd, std::int64_t rows,
             std::int64_t columns, float epsilon) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns)
    normalise(x, gamma, beta, y, mean + row, rstd + row, columns, epsilon);
}

template <class X, class Y>
void add_forward(const X* x, const Y* branch, const float* gamma, const float* beta, X* h, Y* y, float* mean,
                 float* rstd, std::int64_t rows, std::int64_t columns, float epsilon) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, branch += columns, h += columns, y += columns) {
    map(
        h, x, branch, columns, [](Floats u, Floats v) __attribute__((always_inline)) { return u + v; });
    normalise<X>(h, gamma, beta, y, mean + row, rstd + row, columns, epsilon);
  }
}

// The row's two means that make dx orthogonal to 1 and to the normalised row, and its share of the parameters'
// gradients.
struct Means {
  float plain, weighted;
};
template <class X, class Y>
STRATA_INLINE Means means_of(const X* x, const float* gamma, float mean, float rstd, const Y* dy, float* dgamma,
                             float* dbeta, std::int64_t columns) {
  Floats plain = splat(0.0f), weighted = splat(0.0f);
  each(
      columns, [&](Block at) __attribute__((always_inline)) {
        const Floats h = (at.load(x, mean) - splat(mean)) * splat(rstd);
        const Floats g = at.load(dy);
        if (dgamma != nullptr) {
          at.store(dgamma, at.load(dgamma) + g * h);
          at.store(dbeta, at.load(dbeta) + g);
        }
        const Floats s = gamma != nullptr ? g * at.load(gamma) : g;
        plain = plain + s;
        weighted = weighted + s * h;
      });
  const float n = static_cast<float>(columns);
  return {sum_lanes(plain) / n, sum_lanes(weighted) / n};
}

template <class X, class Y>
void backward(const X* x, const float* gamma, const float* mean, const float* rstd, const Y* dy, const X* residual,
              X* dx, std::uint16_t* narrowed, float* dgamma, float* dbeta, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, dy += columns, dx += columns) {
    const float m = mean[row], r = rstd[row];
    const X* past = residual != nullptr ? residual + row * columns : nullptr;
    std::uint16_t* narrow = narrowed != nullptr ? narrowed + row * columns : nullptr;
    const Means means = means_of(x, gamma, m, r, dy, dgamma, dbeta, columns);
    each(
        columns, [=](Block at) __attribute__((always_inline)) {
          const Floats h = (at.load(x) - splat(m)) * splat(r);
          Floats s = at.load(dy);
          if (gamma != nullptr) s = s * at.load(gamma);
          Floats d = (s - splat(means.plain) - h * splat(means.weighted)) * splat(r);
          if (past != nullptr) d = d + at.load(past);
          at.store(dx, d);
          if (narrow != nullptr) at.store(narrow, d);
        });
  }
}

template <class X, class Y>
constexpr LayerNormKernels<X, Y> kKernels{&forward<X, Y>, &add_forward<X, Y>, &backward<X, Y>};

}  // namespace

extern const LayerNormSimd layer_norm_simd{kKernels<float, float>, kKernels<float, std::uint16_t>,
                                           kKernels<std::uint16_t, std::uint16_t>};

}  // namespace strata::cpu::STRATA_ISA
