// SPDX-License-Identifier: Apache-2.0
//
// Element types of tensors, and the map between them and C++ types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "strata/base/half.hpp"

namespace strata {

enum class DType : std::uint8_t { f32, bf16, f64, i32, i64, u8, i16 };

std::size_t size_of(DType dtype);          // bytes an element
std::string_view name_of(DType dtype);     // "f32", ...
DType parse_dtype(std::string_view name);  // unknown name: usage error with the nearest one
bool is_floating(DType dtype);

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<std::uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<std::int16_t> {
  static constexpr DType value = DType::i16;
};

template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

}  // namespace strata
