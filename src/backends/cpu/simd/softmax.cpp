// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/softmax.hpp"

#include "backends/cpu/simd/math.hpp"
#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

constexpr float kMinusInfinity = -__builtin_inff();

float row_max(const float* x, std::int64_t columns) {
  Floats most = splat(kMinusInfinity);
  std::int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) most = max(most, load(x + i));
  if (i < columns) most = max(most, load_some(x + i, columns - i, kMinusInfinity));
  return max_lanes(most);
}

// y = exp(x − shift); returns the sum.
float exponentials(const float* x, float* y, std::int64_t columns, float shift) {
  Floats sum = splat(0.0f);
  std::int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) {
    const Floats e = exp(load(x + i) - splat(shift));
    store(y + i, e);
    sum = sum + e;
  }
  if (i < columns) {
    const Floats e = exp(load_some(x + i, columns - i, kMinusInfinity) - splat(shift));
    store_some(y + i, columns - i, e);
    sum = sum + e;
  }
  return sum_lanes(sum);
}

void forward(const float* x, float* y, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const float sum = exponentials(x, y, columns, row_max(x, columns));
    const float factor = 1.0f / sum;
    map(
        y, y, columns, [=](Floats e) __attribute__((always_inline)) { return e * splat(factor); });
  }
}

void backward(const float* y, const float* dy, float* dx, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, y += columns, dy += columns, dx += columns) {
    Floats sum = splat(0.0f);
    std::int64_t i = 0;
    for (; i + kLanes <= columns; i += kLanes) sum = sum + load(y + i) * load(dy + i);
    if (i < columns) sum = sum + load_some(y + i, columns - i) * load_some(dy + i, columns - i);
    const Floats inner = splat(sum_lanes(sum));
    map(
        dx, y, dy, columns, [=](Floats a, Floats b) __attribute__((always_inline)) { return a * (b - inner); });
  }
}

}  // namespace

extern const SoftmaxSimd softmax_simd{&forward, &backward};

}  // namespace strata::cpu::STRATA_ISA
