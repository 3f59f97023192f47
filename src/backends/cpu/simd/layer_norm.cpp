// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/layer_norm.hpp"

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// A row stays in the first-level cache over the passes below, so memory is read once.

STRATA_INLINE float mean_of(const float* x, std::int64_t columns) {
  return fold(
             columns, [=](Block at) __attribute__((always_inline)) { return at.load(x); }) /
         static_cast<float>(columns);
}

STRATA_INLINE float variance_of(const float* x, std::int64_t columns, float mean) {
  const Floats centre = splat(mean);
  return fold(
             columns,
             [=](Block at) __attribute__((always_inline)) {
               const Floats d = at.load(x, mean) - centre;
               return d * d;
             }) /
         static_cast<float>(columns);
}

void forward(const float* x, const float* gamma, const float* beta, float* y, float* mean, float* rstd,
             std::int64_t rows, std::int64_t columns, float epsilon) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const float m = mean_of(x, columns);
    const float r = 1.0f / __builtin_sqrtf(variance_of(x, columns, m) + epsilon);
    mean[row] = m;
    rstd[row] = r;
    each(
        columns, [=](Block at) __attribute__((always_inline)) {
          Floats v = (at.load(x) - splat(m)) * splat(r);
          if (gamma != nullptr) v = v * at.load(gamma);
          if (beta != nullptr) v = v + at.load(beta);
          at.store(y, v);
        });
  }
}

// The row's two means that make dx orthogonal to 1 and to the normalised row, and its share of the parameters'
// gradients.
struct Means {
  float plain, weighted;
};
STRATA_INLINE Means means_of(const float* x, const float* gamma, float mean, float rstd, const float* dy, float* dgamma,
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

void backward(const float* x, const float* gamma, const float* mean, const float* rstd, const float* dy, float* dx,
              float* dgamma, float* dbeta, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, dy += columns, dx += columns) {
    const float m = mean[row], r = rstd[row];
    const Means means = means_of(x, gamma, m, r, dy, dgamma, dbeta, columns);
    each(
        columns, [=](Block at) __attribute__((always_inline)) {
          const Floats h = (at.load(x) - splat(m)) * splat(r);
          Floats s = at.load(dy);
          if (gamma != nullptr) s = s * at.load(gamma);
          at.store(dx, (s - splat(means.plain) - h * splat(means.weighted)) * splat(r));
        });
  }
}

}  // namespace

extern const LayerNormSimd layer_norm_simd{&forward, &backward};

}  // namespace strata::cpu::STRATA_ISA
