// SPDX-License-Identifier: Apache-2.0
//
// Element types as kernels see them, and the conversions of strata/ops/copy.hpp.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "strata/tensor/tensor.hpp"

namespace strata::cuda {

// Arithmetic is done in f32 for f32 and bf16, in f64 for f64.
template <class T>
using Accumulation = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
__device__ __forceinline__ Accumulation<T> widen(T value) {
  return value;
}
__device__ __forceinline__ float widen(__nv_bfloat16 value) { return __bfloat162float(value); }

// From a floating value. To integers: nearest even, saturated, NaN is 0.
template <class To, class From>
__device__ __forceinline__ To narrow(From value) {
  if constexpr (std::is_same_v<To, __nv_bfloat16>) {
    if constexpr (std::is_same_v<From, double>)
      return __double2bfloat16(value);
    else
      return __float2bfloat16_rn(value);
  } else if constexpr (std::is_integral_v<To>) {
    const double rounded = rint(static_cast<double>(value));
    if (!(rounded > static_cast<double>(std::numeric_limits<To>::min())))
      return isnan(rounded) ? To{0} : std::numeric_limits<To>::min();
    if (rounded >= static_cast<double>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
    return static_cast<To>(rounded);
  } else {
    return static_cast<To>(value);
  }
}

// V elements that move as one.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T v[V];
};

// The bits of a pack. What is held while other loads are made is held so: elements narrower than a register would be
// taken apart as soon as they arrive, and to take them apart is to wait for them.
template <class T, int V>
struct alignas(sizeof(T) * V) PackBits {
  static constexpr std::size_t kBytes = sizeof(T) * V;
  using Word = std::conditional_t<kBytes % 4 == 0, std::uint32_t,
                                  std::conditional_t<kBytes % 2 == 0, std::uint16_t, std::uint8_t>>;
  Word words[kBytes / sizeof(Word)];

  __device__ __forceinline__ Pack<T, V> pack() const {
    Pack<T, V> elements;
    memcpy(&elements, this, kBytes);
    return elements;
  }
};

// Pack i of x.
template <int V, class T>
__device__ __forceinline__ PackBits<T, V> bits_at(const T* x, std::int64_t i) {
  return reinterpret_cast<const PackBits<T, V>*>(x)[i];
}
template <class T, int V>
__device__ __forceinline__ void put_pack(T* y, std::int64_t i, const Pack<T, V>& pack) {
  reinterpret_cast<Pack<T, V>*>(y)[i] = pack;
}

// Calls f with a value of the kernel's type for `dtype`.
template <class F>
void with_floating(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32: return f(float{});
    case DType::bf16: return f(__nv_bfloat16{});
    default: return f(double{});
  }
}
template <class F>
void with_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::i32: return f(std::int32_t{});
    case DType::i64: return f(std::int64_t{});
    case DType::u8: return f(std::uint8_t{});
    case DType::i16: return f(std::int16_t{});
    default: return with_floating(dtype, f);
  }
}

template <class T>
T* pointer(const Tensor& tensor) {
  return static_cast<T*>(tensor.raw());
}

}  // namespace strata::cuda
