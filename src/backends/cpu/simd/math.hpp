// SPDX-License-Identifier: Apache-2.0
//
// Functions of Floats, for simd/*.cpp only. Errors are measured against double in tests/unit/backends_cpu.
#pragma once

#include "backends/cpu/simd/vec.hpp"

namespace strata::cpu::STRATA_ISA {
namespace {

// e^(high + low) for |low| far below 1, within 2 units in the last place. Below -103.97 it is 0, above 88.73 infinity;
// NaN stays NaN. Cody & Waite reduction; polynomial of Cephes' expf (Moshier).
STRATA_INLINE Floats exp_of_sum(Floats high, Floats low) {
  const Floats clamped = min(max(splat(-105.0f), high), splat(89.0f));  // NaN -> -105; put back below
  const Floats magic = splat(0x1.8p23f);
  const Floats n = (clamped * splat(1.44269504088896341f) + magic) - magic;
  Floats r = clamped - n * splat(0.693359375f);
  r = r - n * splat(-2.12194440e-4f);
  r = r + low;
  Floats p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  p = p * (r * r) + r + splat(1.0f);
  // 2^n as two factors, so that neither over- nor underflows before the product does.
  const Ints whole = convert<std::int32_t>(n);
  const Ints half = shift_right<1>(whole);
  const auto power = [](Ints k) __attribute__((always_inline)) {
    return bits<float>(shift_left<23>(k + splat<Ints>(127)));
  };
  const Floats y = p * power(half) * power(whole - half);
  return select(high == high, y, high);
}
STRATA_INLINE Floats exp(Floats x) { return exp_of_sum(x, splat(0.0f)); }

struct Normal {
  Floats below;    // the distribution function of the normal distribution, Phi(x): good to a few units even far below 0
  Floats density;  // its derivative
};

// Phi(-a) = exp(-a^2 / 2) T(a) with T(a) = exp(a^2 / 2) erfc(a / sqrt 2) / 2, smooth: t P(t) in t = 1 / (1 + 0.35 a), P
// fitted in the relative maximum norm over a in [0, 14.5] to 3e-8. The square is split, so that its rounding does not
// enter the exponent.
STRATA_INLINE Normal normal(Floats x) {
  const Floats a = min(absolute(x), splat(15.0f));
  const Floats head = bits<float>(bits<std::uint32_t>(a) & splat<Words>(0xfffff000u));
  const Floats e = exp_of_sum(splat(-0.5f) * (head * head), splat(-0.5f) * ((a - head) * (a + head)));
  const Floats t = splat(1.0f) / (splat(1.0f) + splat(0.35f) * a);
  Floats p = splat(-0.02915801666676998f);
  p = p * t + splat(0.14403153955936432f);
  p = p * t + splat(-0.2558402419090271f);
  p = p * t + splat(0.15932102501392365f);
  p = p * t + splat(-0.0232132226228714f);
  p = p * t + splat(0.10555284470319748f);
  p = p * t + splat(0.1198212057352066f);
  p = p * t + splat(0.139863520860672f);
  p = p * t + splat(0.139621302485466f);
  const Floats tail = e * (p * t);
  return {select(x < splat(0.0f), tail, splat(1.0f) - tail), e * splat(0.3989422804014327f)};
}

}  // namespace
}  // namespace strata::cpu::STRATA_ISA
