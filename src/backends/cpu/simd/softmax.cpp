// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/softmax.hpp"

#include "backends/cpu/simd/math.hpp"
#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

constexpr float kMinusInfinity = -__builtin_inff();

template <class T>
float row_max(const T* x, std::int64_t columns) {
  Floats most = splat(kMinusInfinity);
  each(
      columns, [&](Block at) __attribute__((always_inline)) { most = max(most, at.load(x, kMinusInfinity)); });
  return max_lanes(most);
}

// Exponentials are formed twice where storing them in between would round them.
template <class T>
void forward(const T* x, T* y, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns, y += columns) {
    const Floats shift = splat(row_max(x, columns));
    const float sum = fold(
        columns, [=](Block at) __attribute__((always_inline)) {
          const Floats e = exp(at.load(x, kMinusInfinity) - shift);
          if constexpr (sizeof(T) == 4) at.store(y, e);
          return e;
        });
    const Floats factor = splat(1.0f / sum);
    if constexpr (sizeof(T) == 4)
      map(
          y, y, columns, [=](Floats e) __attribute__((always_inline)) { return e * factor; });
    else
      map(
          y, x, columns, [=](Floats u) __attribute__((always_inline)) { return exp(u - shift) * factor; });
  }
}

template <class T>
void backward(const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, y += columns, dy += columns, dx += columns) {
    const Floats inner = splat(fold(
        columns, [=](Block at) __attribute__((always_inline)) { return at.load(y) * at.load(dy); }));
    map(
        dx, y, dy, columns, [=](Floats a, Floats b) __attribute__((always_inline)) { return a * (b - inner); });
  }
}

template <class T>
void log_sum(const T* x, float* most, float* sum, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t row = 0; row < rows; ++row, x += columns) {
    most[row] = row_max(x, columns);
    const Floats shift = splat(most[row]);
    sum[row] = fold(
        columns, [=](Block at) __attribute__((always_inline)) { return exp(at.load(x, kMinusInfinity) - shift); });
  }
}

template <class T>
void exponentials(const T* x, float shift, float factor, T* y, std::int64_t columns) {
  map(
      y, x, columns, [=](Floats u) __attribute__((always_inline)) { return splat(factor) * exp(u - splat(shift)); });
}

template <class T>
constexpr SoftmaxOf<T> kSoftmax{&forward<T>, &backward<T>, &log_sum<T>, &exponentials<T>};

}  // namespace

extern const SoftmaxSimd softmax_simd{kSoftmax<float>, kSoftmax<std::uint16_t>};

}  // namespace strata::cpu::STRATA_ISA
