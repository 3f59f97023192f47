// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// The stream of strata/base/random.hpp, 64 words at a time.
struct PhiloxStream {
  std::uint32_t key[2];
  std::uint32_t counter[3];  // words 1 to 3 of the counter; word 0 is the block
};

struct DropoutSimd {
  // y[i] = uniform(first + i) >= rate ? factor · x[i] : 0
  void (*apply)(const PhiloxStream& stream, std::uint64_t first, const float* x, float* y, std::int64_t n, float rate,
                float factor);
};
STRATA_PER_ISA(DropoutSimd, dropout_simd);

}  // namespace strata::cpu
