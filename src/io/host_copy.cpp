// SPDX-License-Identifier: Apache-2.0
#include "strata/io/host_copy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/runtime/context.hpp"

namespace strata::io {
namespace {

// Copies axis `axis` and all inner ones, from a strided place to the next free bytes of `to`.
void copy_axis(const Tensor& tensor, int axis, const std::byte* from, std::byte*& to) {
  const std::size_t size = size_of(tensor.dtype());
  if (axis == tensor.ndim()) {
    std::memcpy(to, from, size);
    to += size;
    return;
  }
  const auto step = static_cast<std::ptrdiff_t>(tensor.stride(axis)) * static_cast<std::ptrdiff_t>(size);
  for (std::int64_t i = 0; i < tensor.dim(axis); ++i, from += step) copy_axis(tensor, axis + 1, from, to);
}

// All ones in the exponent: NaN or infinity. Blocks first, so that the compiler can vectorise the common, clean case.
template <class Bits>
std::optional<std::int64_t> first_with_exponent(const Tensor& tensor, Bits exponent) {
  constexpr std::int64_t kBlock = 4096;
  const auto* bytes = static_cast<const std::byte*>(tensor.raw());
  const std::int64_t count = tensor.numel();
  std::vector<Bits> block(kBlock);
  for (std::int64_t begin = 0; begin < count; begin += kBlock) {
    const auto length = static_cast<std::size_t>(std::min(kBlock, count - begin));
    std::memcpy(block.data(), bytes + static_cast<std::size_t>(begin) * sizeof(Bits), length * sizeof(Bits));
    unsigned found = 0;
    for (std::size_t i = 0; i < length; ++i) found |= static_cast<unsigned>((block[i] & exponent) == exponent);
    if (found == 0) continue;
    const auto at =
        std::find_if(block.begin(), block.end(), [exponent](Bits bits) { return (bits & exponent) == exponent; });
    return begin + (at - block.begin());
  }
  return std::nullopt;
}

template <class From, class To>
void convert_values(const Tensor& from, const Tensor& to) {
  // A double reaches bf16 through float: two roundings, as PyTorch does it.
  using Middle = std::conditional_t<std::is_same_v<From, double> && std::is_same_v<To, double>, double, float>;
  const From* source = from.data<From>();
  To* target = to.data<To>();
  for (std::int64_t i = 0; i < from.numel(); ++i) target[i] = static_cast<To>(static_cast<Middle>(source[i]));
}

template <class From>
void convert_from(const Tensor& from, const Tensor& to) {
  if (to.dtype() == DType::f32) return convert_values<From, float>(from, to);
  if (to.dtype() == DType::bf16) return convert_values<From, BFloat16>(from, to);
  convert_values<From, double>(from, to);
}

}  // namespace

Tensor dense_on_host(const Tensor& tensor) {
  STRATA_CHECK(tensor.device().kind == DeviceKind::host, internal, "io",
               fmt::format("{} lies on {}", tensor.spec().str(), tensor.device().str()), "download it first");
  if (tensor.is_dense()) return tensor;
  Tensor result = host_tensor(tensor.dtype(), tensor.shape());
  auto* to = static_cast<std::byte*>(result.raw());
  copy_axis(tensor, 0, static_cast<const std::byte*>(tensor.raw()), to);
  return result;
}

std::optional<std::uint64_t> checked_bytes(std::span<const std::int64_t> extents, std::size_t element_size) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 8;  // what a Shape takes, whatever its type
  std::int64_t nonzero = 1;
  bool empty = false;
  for (const auto extent : extents) {
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(nonzero, extent, &nonzero) || nonzero > kMost) {
      return std::nullopt;
    }
  }
  return empty ? 0 : static_cast<std::uint64_t>(nonzero) * element_size;
}

std::optional<std::int64_t> first_non_finite(const Tensor& tensor) {
  STRATA_CHECK(tensor.is_dense(), internal, "io", "a search for NaN needs a dense tensor");
  switch (tensor.dtype()) {
    case DType::f32: return first_with_exponent<std::uint32_t>(tensor, 0x7f800000u);
    case DType::bf16: return first_with_exponent<std::uint16_t>(tensor, 0x7f80u);
    case DType::f64: return first_with_exponent<std::uint64_t>(tensor, 0x7ff0000000000000u);
    default: return std::nullopt;
  }
}

std::string index_of(std::int64_t element, const Shape& shape) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.ndim()));
  for (int axis = shape.ndim() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = element % shape[axis];
    element /= shape[axis];
  }
  std::string text = "[";
  for (std::size_t i = 0; i < index.size(); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", index[i]);
  return text + "]";
}

Tensor convert_floating(const Tensor& tensor, DType to) {
  if (tensor.dtype() == to) return tensor;
  STRATA_CHECK(is_floating(tensor.dtype()) && is_floating(to) && tensor.is_dense(), internal, "io",
               fmt::format("{} does not convert to {}", tensor.spec().str(), name_of(to)));
  Tensor result = host_tensor(to, tensor.shape());
  if (tensor.dtype() == DType::f32) convert_from<float>(tensor, result);
  if (tensor.dtype() == DType::bf16) convert_from<BFloat16>(tensor, result);
  if (tensor.dtype() == DType::f64) convert_from<double>(tensor, result);
  return result;
}

float float_from_half(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu, fraction = bits & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: fraction · 2⁻²⁴
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign == 0 ? magnitude : -magnitude;
  }
  const std::uint32_t widened = exponent == 0x1f ? 0xffu : exponent + 112u;
  return std::bit_cast<float>(sign | (widened << 23) | (fraction << 13));
}

}  // namespace strata::io
