// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/simd/epilogue.hpp"

#include "backends/cpu/simd/math.hpp"
#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// a · b + c, in one rounding where the instruction set has it.
template <int N>
STRATA_INLINE Pack<float, N> multiply_add(Pack<float, N> a, Pack<float, N> b, Pack<float, N> c) {
  if constexpr (!Pack<float, N>::kLeaf) {
    return {multiply_add(a.lo, b.lo, c.lo), multiply_add(a.hi, b.hi, c.hi)};
  } else {
#if defined(__AVX512F__)
    return {_mm512_fmadd_ps(a.v, b.v, c.v)};
#elif defined(__FMA__)
    return {_mm256_fmadd_ps(a.v, b.v, c.v)};
#else
    return a * b + c;
#endif
  }
}

// 1/x within 2^-11 for normal x.
template <int N>
STRATA_INLINE Pack<float, N> reciprocal(Pack<float, N> x) {
  if constexpr (!Pack<float, N>::kLeaf) {
    return {reciprocal(x.lo), reciprocal(x.hi)};
  } else {
#if defined(__AVX512F__)
    return {_mm512_maskz_rcp14_ps(0xffff, x.v)};  // the plain one warns in GCC 12
#elif defined(__AVX__)
    return {_mm256_rcp_ps(x.v)};
#else
    return splat<Pack<float, N>>(1.0f) / x;
#endif
  }
}

// Phi(x) and its derivative as exactly as bf16 can tell: each within 2^-10 of its value (a result of bf16 is rounded by
// up to 2^-9), also far below 0. As normal() of math.hpp, with shorter polynomials: 2^f within 1e-4, and
// exp(a^2 / 2) Phi(-a) = t P(t), t = 1 / (1 + 0.3 a), within 2.3e-4 over a in [0, 14].
STRATA_INLINE Normal normal_for_bf16(Floats x) {
  const Floats a = min(absolute(x), splat(13.0f));
  const Floats y = a * a * splat(-0.72134752f);  // log2 of exp(-a^2 / 2): above -122
  const Floats shifted = y + splat(0x1.8p23f);   // the nearest integer, in the low bits
  const Floats f = y - (shifted - splat(0x1.8p23f));
  Floats p = multiply_add(splat(0.055008758f), f, splat(0.24221139f));
  p = multiply_add(p, f, splat(0.69328302f));
  p = multiply_add(p, f, splat(1.0f));
  const Floats e = bits<float>(bits<std::int32_t>(p) + shift_left<23>(bits<std::int32_t>(shifted)));
  const Floats t = reciprocal(multiply_add(splat(0.3f), a, splat(1.0f)));
  Floats q = multiply_add(splat(0.20884134f), t, splat(0.03559333f));
  q = multiply_add(q, t, splat(0.13747539f));
  q = multiply_add(q, t, splat(0.1182048f));
  const Floats tail = e * (q * t);
  return {select(x < splat(0.0f), tail, splat(1.0f) - tail), e * splat(0.39894228f)};
}

template <class T>
STRATA_INLINE Normal normal_of(Floats x) {
  if constexpr (sizeof(T) == 4)
    return normal(x);
  else
    return normal_for_bf16(x);
}

template <class T>
void gelu(const T* x, T* y, std::int64_t n) {
  map(
      y, x, n, [](Floats u) __attribute__((always_inline)) { return u * normal_of<T>(u).below; });
}

template <class T>
void gelu_backward(const T* x, T* gradient, T* y, std::int64_t n) {
  each(
      n, [=](Block at) __attribute__((always_inline)) {
        const Floats u = at.load(x);
        const Normal p = normal_of<T>(u);
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
