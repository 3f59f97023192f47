// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/elementwise.hpp"

#include "backends/cpu/simd/math.hpp"
#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

template <class T, class B>
void add(const T* a, const B* b, T* y, std::int64_t n) {
  map(
      y, a, b, n, [](Floats u, Floats v) __attribute__((always_inline)) { return u + v; });
}

template <class T>
void mul(const T* a, const T* b, T* y, std::int64_t n) {
  map(
      y, a, b, n, [](Floats u, Floats v) __attribute__((always_inline)) { return u * v; });
}

template <class T>
void scale(const T* x, float alpha, T* y, std::int64_t n) {
  map(
      y, x, n, [=](Floats u) __attribute__((always_inline)) { return u * splat(alpha); });
}

template <class T>
void gelu(const T* x, T* y, std::int64_t n) {
  map(
      y, x, n, [](Floats u) __attribute__((always_inline)) { return u * normal(u).below; });
}

template <class T>
void gelu_backward(const T* x, const T* dy, T* dx, std::int64_t n) {
  map(
      dx, x, dy, n, [](Floats u, Floats v) __attribute__((always_inline)) {
        const Normal p = normal(u);
        return v * (p.below + u * p.density);
      });
}

void fill(float* y, float value, std::int64_t n) {
  const Floats lanes = splat(value);
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, lanes);
  if (i < n) store_some(y + i, n - i, lanes);
}

template <class T>
void axpy(const T* x, float alpha, float* y, std::int64_t n) {
  map(
      y, y, x, n, [=](Floats u, Floats v) __attribute__((always_inline)) { return u + splat(alpha) * v; });
}

template <class T, class Y>
void affine(const T* x, Y* y, std::int64_t n, float factor, float shift) {
  map(
      y, x, n, [=](Floats u) __attribute__((always_inline)) { return u * splat(factor) + splat(shift); });
}

template <class Y, class X>
void convert_all(const X* x, Y* y, std::int64_t n) {
  map(
      y, x, n, [](Floats u) __attribute__((always_inline)) { return u; });
}

template <class T>
constexpr ArithmeticSimd<T> kArithmetic{&add<T, T>, &mul<T>, &scale<T>, &gelu<T>, &gelu_backward<T>};

template <class Y>
constexpr AffineSimd<Y> kAffine{&affine<float, Y>, &affine<std::uint16_t, Y>, &affine<std::uint8_t, Y>,
                                &affine<std::int16_t, Y>};

}  // namespace

extern const ElementwiseSimd elementwise_simd{kArithmetic<float>,
                                              kArithmetic<std::uint16_t>,
                                              &add<float, std::uint16_t>,
                                              &add<std::uint16_t, float>,
                                              &fill,
                                              &axpy<float>,
                                              &axpy<std::uint16_t>,
                                              kAffine<float>,
                                              kAffine<std::uint16_t>,
                                              &convert_all<float, std::uint16_t>,
                                              &convert_all<std::uint16_t, float>};

}  // namespace strata::cpu::STRATA_ISA
