// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/softmax.hpp"

#include "backends/cpu/simd/math.hpp"
#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

constexpr float kMinusInfinity = -__builtin_inff();

float row_max(const float* x, std::int64_t columns) {
  Floats most = splat(kMinusInfinity);
  each(
      columns, [&](Block at) __attribute__((always_inline)) { most = max(most, at.load(x, kMinusInfinity)); });
  return max_lanes(most);
}

void forward(const float* x, float* y, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const Floats shift = splat(row_max(x, columns));
    const float sum = fold(
        columns, [=](Block at) __attribute__((always_inline)) {
          const Floats e = exp(at.load(x, kMinusInfinity) - shift);
          at.store(y, e);
          return e;
        });
    const Floats factor = splat(1.0f / sum);
    map(
        y, y, columns, [=](Floats e) __attribute__((always_inline)) { return e * factor; });
  }
}

void backward(const float* y, const float* dy, float* dx, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, y += columns, dy += columns, dx += columns) {
    const Floats inner = splat(fold(
        columns, [=](Block at) __attribute__((always_inline)) { return at.load(y) * at.load(dy); }));
    map(
        dx, y, dy, columns, [=](Floats a, Floats b) __attribute__((always_inline)) { return a * (b - inner); });
  }
}

void log_sum(const float* x, float* most, float* sum, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns) {
    most[row] = row_max(x, columns);
    const Floats shift = splat(most[row]);
    sum[row] = fold(
        columns, [=](Block at) __attribute__((always_inline)) { return exp(at.load(x, kMinusInfinity) - shift); });
  }
}

void exponentials(const float* x, float shift, float factor, float* y, std::int64_t columns) {
  map(
      y, x, columns, [=](Floats u) __attribute__((always_inline)) { return splat(factor) * exp(u - splat(shift)); });
}

}  // namespace

extern const SoftmaxSimd softmax_simd{&forward, &backward, &log_sum, &exponentials};

}  // namespace strata::cpu::STRATA_ISA
