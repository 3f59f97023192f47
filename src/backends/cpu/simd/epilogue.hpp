// SPDX-License-Identifier: Apache-2.0
//
// What is done to a panel of a matrix product while it is still in the cache. T: float, or uint16_t holding bf16.
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

template <class T>
struct GeluPanelSimd {
  void (*forward)(const T* x, T* y, std::int64_t n);                // y = gelu(x)
  void (*backward)(const T* x, T* gradient, T* y, std::int64_t n);  // gradient *= gelu'(x); y = gelu(x)
};

struct EpilogueSimd {
  GeluPanelSimd<float> f32;
  GeluPanelSimd<std::uint16_t> bf16;
  void (*add_f32)(const float* x, float* y, std::int64_t n);  // y += x
  void (*add_bf16)(const std::uint16_t* x, std::uint16_t* y, std::int64_t n);
};
STRATA_PER_ISA(EpilogueSimd, epilogue_simd);

}  // namespace strata::cpu
