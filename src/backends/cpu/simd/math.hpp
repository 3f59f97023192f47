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

}  // namespace
}  // namespace strata::cpu::STRATA_ISA
