// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// The stream of strata/base/random.hpp, 64 words at a time.
struct PhiloxStream {
  std::uint32_t key[2];
  std::uint32_t counter[3];  // words 1 to 3 of the counter; word 0 is the block
};

// y[i] = uniform(first + i) >= rate ? factor · x[i] : 0; T: float, or uint16_t holding bf16.
template <class T>
using DropoutKernel = void (*)(const PhiloxStream& stream, std::uint64_t first, const T* x, T* y, std::int64_t n,
                               float rate, float factor);
struct DropoutSimd {
  DropoutKernel<float> f32;
  DropoutKernel<std::uint16_t> bf16;
};
STRATA_PER_ISA(DropoutSimd, dropout_simd);

}  // namespace strata::cpu
