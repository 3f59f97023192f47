// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/l2_normalize.hpp"

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// Squares in double: they neither overflow nor vanish for any float.
STRATA_INLINE double dot(const float* a, const float* b, std::int64_t n) {
  Doubles total = splat<Doubles>(0.0);
  each(
      n, [&](Block at) __attribute__((always_inline)) {
        total = total + convert<double>(at.load(a)) * convert<double>(at.load(b));
      });
  return sum_lanes(total);
}

void forward(const float* x, float* y, float* norm, std::int64_t rows, std::int64_t columns, float epsilon) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    norm[row] = static_cast<float>(__builtin_sqrt(dot(x, x, columns)));
    const Floats length = splat(norm[row] > epsilon ? norm[row] : epsilon);
    map(
        y, x, columns, [=](Floats u) __attribute__((always_inline)) { return u / length; });
  }
}

void backward(const float* y, const float* norm, const float* dy, float* dx, std::int64_t rows, std::int64_t columns,
              float epsilon) {
  for (std::int64_t row = 0; row < rows; ++row, y += columns, dy += columns, dx += columns) {
    const bool tiny = norm[row] < epsilon;
    const Floats along = splat(tiny ? 0.0f : static_cast<float>(dot(y, dy, columns)));
    const Floats length = splat(tiny ? epsilon : norm[row]);
    map(
        dx, y, dy,
        columns, [=](Floats a, Floats b) __attribute__((always_inline)) { return (b - a * along) / length; });
  }
}

}  // namespace

extern const L2NormalizeSimd l2_normalize_simd{&forward, &backward};

}  // namespace strata::cpu::STRATA_ISA
