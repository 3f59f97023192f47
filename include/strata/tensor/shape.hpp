// SPDX-License-Identifier: Apache-2.0
//
// The extents of a tensor: up to six, outermost first, held by value. A scalar has none.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace strata {

inline constexpr int kMaxDims = 6;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) : Shape(std::span(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const std::int64_t> extents);  // more than six, or a negative one: usage error

  int ndim() const { return ndim_; }
  std::int64_t operator[](int axis) const {
    return extents_[static_cast<std::size_t>(resolve(axis))];
  }  // negative axes count from the end
  std::int64_t numel() const;
  int resolve(int axis) const;  // axis in [0, ndim), error otherwise

  std::span<const std::int64_t> extents() const { return {extents_.data(), static_cast<std::size_t>(ndim_)}; }
  std::int64_t outer(int axis) const;  // product of the extents before `axis`
  std::int64_t inner(int axis) const;  // product of the extents after `axis`

  Shape with(int axis, std::int64_t extent) const;
  Shape without(int axis) const;
  Shape append(std::int64_t extent) const;

  bool operator==(const Shape& other) const;
  std::string str() const;  // "[2, 33, 96]"

 private:
  std::array<std::int64_t, kMaxDims> extents_{};
  int ndim_ = 0;
};

}  // namespace strata
