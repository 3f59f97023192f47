// SPDX-License-Identifier: Apache-2.0
#include "strata/tensor/shape.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "strata/base/error.hpp"

namespace strata {
namespace {

void check(const Shape& shape) {
  std::int64_t count = 1;
  for (const auto extent : shape.extents()) {
    STRATA_CHECK(extent >= 0, usage, "shape", fmt::format("negative extent in {}", shape.str()));
    const bool overflow = __builtin_mul_overflow(count, extent, &count);
    STRATA_CHECK(!overflow, usage, "shape", fmt::format("{} has more elements than can be counted", shape.str()));
  }
}

}  // namespace

Shape::Shape(std::span<const std::int64_t> extents) : ndim_(static_cast<int>(extents.size())) {
  STRATA_CHECK(extents.size() <= kMaxDims, usage, "shape",
               fmt::format("{} dimensions given, at most {} are supported", extents.size(), kMaxDims));
  std::copy(extents.begin(), extents.end(), extents_.begin());
  check(*this);
}

std::int64_t Shape::numel() const {
  std::int64_t count = 1;
  for (const auto extent : extents()) count *= extent;
  return count;
}

int Shape::resolve(int axis) const {
  const int resolved = axis < 0 ? axis + ndim_ : axis;
  STRATA_CHECK(resolved >= 0 && resolved < ndim_, usage, "shape",
               fmt::format("axis {} does not exist in {}", axis, str()));
  return resolved;
}

std::int64_t Shape::outer(int axis) const {
  std::int64_t count = 1;
  for (int i = 0; i < resolve(axis); ++i) count *= (*this)[i];
  return count;
}

std::int64_t Shape::inner(int axis) const {
  std::int64_t count = 1;
  for (int i = resolve(axis) + 1; i < ndim_; ++i) count *= (*this)[i];
  return count;
}

Shape Shape::with(int axis, std::int64_t extent) const {
  Shape result = *this;
  result.extents_[static_cast<std::size_t>(resolve(axis))] = extent;
  check(result);
  return result;
}

Shape Shape::without(int axis) const {
  Shape result;
  const int removed = resolve(axis);
  for (int i = 0; i < ndim_; ++i)
    if (i != removed) result = result.append((*this)[i]);
  return result;
}

Shape Shape::append(std::int64_t extent) const {
  STRATA_CHECK(ndim_ < kMaxDims, usage, "shape", fmt::format("{} already has {} dimensions", str(), kMaxDims));
  Shape result = *this;
  result.extents_[static_cast<std::size_t>(result.ndim_++)] = extent;
  check(result);
  return result;
}

bool Shape::operator==(const Shape& other) const { return std::ranges::equal(extents(), other.extents()); }

std::string Shape::str() const { return fmt::format("[{}]", fmt::join(extents(), ", ")); }

}  // namespace strata
