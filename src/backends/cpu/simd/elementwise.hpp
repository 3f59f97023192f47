// SPDX-License-Identifier: Apache-2.0
//
// One pass over dense arrays. In-place use is allowed: y may be the first argument, and the second where that has y's
// type.
#pragma once

#include "backends/cpu/simd/isa.hpp"

namespace strata::cpu {

// T: float, or uint16_t holding bf16; arithmetic is in float.
template <class T>
struct ArithmeticSimd {
  void (*add)(const T* a, const T* b, T* y, std::int64_t n);
  void (*mul)(const T* a, const T* b, T* y, std::int64_t n);
  void (*scale)(const T* x, float alpha, T* y, std::int64_t n);
  void (*gelu)(const T* x, T* y, std::int64_t n);
  void (*gelu_backward)(const T* x, const T* dy, T* dx, std::int64_t n);
};

// y = x · scale + shift, from every type that voxels have.
template <class Y>
struct AffineSimd {
  void (*f32)(const float* x, Y* y, std::int64_t n, float scale, float shift);
  void (*bf16)(const std::uint16_t* x, Y* y, std::int64_t n, float scale, float shift);
  void (*u8)(const std::uint8_t* x, Y* y, std::int64_t n, float scale, float shift);
  void (*i16)(const std::int16_t* x, Y* y, std::int64_t n, float scale, float shift);
};

struct ElementwiseSimd {
  ArithmeticSimd<float> f32;
  ArithmeticSimd<std::uint16_t> bf16;
  void (*add_narrow)(const float* a, const std::uint16_t* b, float* y, std::int64_t n);  // b may be narrower than a,
  void (*add_wide)(const std::uint16_t* a, const float* b, std::uint16_t* y, std::int64_t n);  // or wider
  void (*fill)(float* y, float value, std::int64_t n);
  void (*axpy)(const float* x, float alpha, float* y, std::int64_t n);  // y += alpha · x
  void (*axpy_bf16)(const std::uint16_t* x, float alpha, float* y, std::int64_t n);
  AffineSimd<float> affine_to_f32;
  AffineSimd<std::uint16_t> affine_to_bf16;
  void (*widen)(const std::uint16_t* x, float* y, std::int64_t n);
  void (*narrow)(const float* x, std::uint16_t* y, std::int64_t n);
};
STRATA_PER_ISA(ElementwiseSimd, elementwise_simd);

}  // namespace strata::cpu
