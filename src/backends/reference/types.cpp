// SPDX-License-Identifier: Apache-2.0
#include "backends/reference/types.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include "strata/base/error.hpp"

namespace strata::reference {
namespace {

template <class F>
void with_type(DType dtype, F f) {
  switch (dtype) {
    case DType::f32: return f(float{});
    case DType::bf16: return f(BFloat16{});
    case DType::f64: return f(double{});
    case DType::i32: return f(std::int32_t{});
    case DType::i64: return f(std::int64_t{});
    case DType::u8: return f(std::uint8_t{});
    case DType::i16: return f(std::int16_t{});
  }
}

// Calls f with the offset, in elements, of each element of the view in row-major order.
template <class F>
void for_each_offset(const Tensor& tensor, F f) {
  std::array<std::int64_t, kMaxDims> index{};
  std::int64_t offset = 0;
  for (std::int64_t n = tensor.numel(); n > 0; --n) {
    f(offset);
    for (int axis = tensor.ndim() - 1; axis >= 0; --axis) {
      auto& i = index[at(axis)];
      offset += tensor.stride(axis);
      if (++i < tensor.dim(axis)) break;
      offset -= i * tensor.stride(axis);
      i = 0;
    }
  }
}

double widen(BFloat16 value) { return static_cast<double>(static_cast<float>(value)); }
template <class T>
double widen(T value) {
  return static_cast<double>(value);
}

// double -> float -> bfloat16 would round twice. The middle step rounds to odd instead: its last bit remembers that
// something was cut off.
BFloat16 to_bfloat16(double value) {
  auto middle = static_cast<float>(value);
  if (std::isfinite(middle) && static_cast<double>(middle) != value) {
    if (std::fabs(static_cast<double>(middle)) > std::fabs(value)) middle = std::nextafter(middle, 0.0f);
    middle = std::bit_cast<float>(std::bit_cast<std::uint32_t>(middle) | 1u);
  }
  return BFloat16(middle);
}

template <class T>
T narrow(double value) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(value);
  } else if constexpr (std::is_integral_v<T>) {
    const double rounded = std::nearbyint(value);
    if (!(rounded > static_cast<double>(std::numeric_limits<T>::min())))
      return std::isnan(value) ? T{0} : std::numeric_limits<T>::min();
    if (rounded >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
    return static_cast<T>(rounded);
  } else {
    return static_cast<T>(value);
  }
}

}  // namespace

Values load(const Tensor& tensor) {
  Values values;
  values.reserve(at(tensor.numel()));
  with_type(tensor.dtype(), [&]<class T>(T) {
    const T* first = tensor.data<T>();
    for_each_offset(tensor, [&](std::int64_t offset) { values.push_back(widen(first[offset])); });
  });
  return values;
}

std::vector<std::int64_t> load_integers(const Tensor& tensor) {
  STRATA_CHECK(!is_floating(tensor.dtype()), internal, "reference", "integers expected, got " + tensor.spec().str());
  std::vector<std::int64_t> values;
  values.reserve(at(tensor.numel()));
  with_type(tensor.dtype(), [&]<class T>(T) {
    if constexpr (std::is_integral_v<T>) {
      const T* first = tensor.data<T>();
      for_each_offset(tensor, [&](std::int64_t offset) { values.push_back(static_cast<std::int64_t>(first[offset])); });
    }
  });
  return values;
}

void store(const Tensor& tensor, const Values& values) {
  STRATA_CHECK(static_cast<std::int64_t>(values.size()) == tensor.numel(), internal, "reference",
               "wrong number of values for " + tensor.spec().str());
  auto value = values.begin();
  with_type(tensor.dtype(), [&]<class T>(T) {
    T* first = tensor.data<T>();
    for_each_offset(tensor, [&](std::int64_t offset) { first[offset] = narrow<T>(*value++); });
  });
}

void store_integers(const Tensor& tensor, const std::vector<std::int64_t>& values) {
  STRATA_CHECK(!is_floating(tensor.dtype()) && static_cast<std::int64_t>(values.size()) == tensor.numel(), internal,
               "reference", "wrong type or number of values for " + tensor.spec().str());
  auto value = values.begin();
  with_type(tensor.dtype(), [&]<class T>(T) {
    if constexpr (std::is_integral_v<T>) {
      T* first = tensor.data<T>();
      constexpr auto least = static_cast<std::int64_t>(std::numeric_limits<T>::min()),
                     most = static_cast<std::int64_t>(std::numeric_limits<T>::max());
      for_each_offset(tensor,
                      [&](std::int64_t offset) { first[offset] = static_cast<T>(std::clamp(*value++, least, most)); });
    }
  });
}

Rows rows_of(const Shape& shape) {
  if (shape.ndim() == 0) return {1, 1};
  return {shape.outer(shape.ndim() - 1), shape[-1]};
}

bool all_floating(Specs inputs) {
  return std::ranges::all_of(inputs, [](const TensorSpec& spec) { return !spec.defined || is_floating(spec.dtype); });
}

}  // namespace strata::reference
