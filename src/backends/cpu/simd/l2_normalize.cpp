// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/l2_normalize.hpp"

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// Squares in double: they neither overflow nor vanish for any float.
template <class T>
STRATA_INLINE double dot(const T* a, const T* b, std::int64_t n) {
  Doubles total = splat<Doubles>(0.0);
  each(
      n, [&](Block at) __attribute__((always_inline)) {
        total = total + convert<double>(at.load(a)) * convert<double>(at.load(b));
      });
  return sum_lanes(total);
}

template <class T>
void forward(const T* x, T* y, float* norm, std::int64_t rows, std::int64_t columns, float epsilon) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    norm[row] = static_cast<float>(__builtin_sqrt(dot(x, x, columns)));
    const Floats length = splat(norm[row] > epsilon ? norm[row] : epsilon);
    map(
        y, x, columns, [=](Floats u) __attribute__((always_inline)) { return u / length; });
  }
}

template <class T>
void backward(const T* y, const float* norm, const T* dy, T* dx, std::int64_t rows, std::int64_t columns,
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

extern const L2NormalizeSimd l2_normalize_simd{{&forward<float>, &backward<float>},
                                               {&forward<std::uint16_t>, &backward<std::uint16_t>}};

}  // namespace strata::cpu::STRATA_ISA
