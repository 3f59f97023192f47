// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/epilogue.hpp"

#include "backends/cpu/simd/math.hpp"
#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

template <class T>
void gelu(const T* x, T* y, std::int64_t n) {
  map(
      y, x, n, [](Floats u) __attribute__((always_inline)) { return u * normal(u).below; });
}

template <class T>
void gelu_backward(const T* x, T* gradient, T* y, std::int64_t n) {
  each(
      n, [=](Block at) __attribute__((always_inline)) {
        const Floats u = at.load(x);
        const Normal p = normal(u);
        at.store(y, u * p.below);
        at.store(gradient, at.load(gradient) * (p.below + u * p.density));
      });
}

template <class T>
void add(const T* x, T* y, std::int64_t n) {
  map(
      y, y, x, n, [](Floats u, Floats v) __attribute__((always_inline)) { return u + v; });
}

}  // namespace

extern const EpilogueSimd epilogue_simd{{&gelu<float>, &gelu_backward<float>},
                                        {&gelu<std::uint16_t>, &gelu_backward<std::uint16_t>},
                                        &add<float>,
                                        &add<std::uint16_t>};

}  // namespace strata::cpu::STRATA_ISA
