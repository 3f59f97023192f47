// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/drawn.hpp"

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <string_view>

#include "strata/base/random.hpp"

namespace strata::conformance {
namespace {

constexpr std::uint64_t kSeed = 20260101;
constexpr std::int64_t kMargin =
    64;  // elements before and behind a dense tensor: whole cache lines, so it stays aligned

std::uint64_t hash(std::string_view text) {  // FNV-1a
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return h;
}

struct Draws {
  double normal, uniform;
};

Draws draws_at(std::uint64_t seed, std::uint64_t stream, std::int64_t element) {
  const RandomKey key{seed ^ stream, RandomPurpose::test};
  const auto words = random_words(
      key, {.ordinal = static_cast<std::uint64_t>(element) >> 32, .block = static_cast<std::uint32_t>(element)});
  const double u = uniform_open(words[0], words[1]);
  const double v = uniform_open(words[2], words[3]);
  return {std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v), v};
}

Shape swapped(const Shape& shape) { return shape.with(-1, shape[-2]).with(-2, shape[-1]); }

// The storage that a view lies in, and the view of it.
Shape base_shape(const Shape& shape, View view) {
  switch (view) {
    case View::padded: return shape.with(-1, shape[-1] + 5);
    case View::spaced: return shape.with(-1, shape[-1] + 32);
    case View::transposed: return swapped(shape);
    case View::misaligned: return {shape.numel() + 1};
    case View::dense: break;
  }
  return {shape.numel() + 2 * kMargin};
}

Tensor view_of(const Tensor& base, const Shape& shape, View view) {
  switch (view) {
    case View::padded: return base.slice(-1, 3, 3 + shape[-1]);
    case View::spaced: return base.slice(-1, 16, 16 + shape[-1]);
    case View::transposed: return base.transpose(-1, -2);
    case View::misaligned: return base.slice(0, 1, 1 + shape.numel()).reshape(shape);
    case View::dense: break;
  }
  return base.slice(0, kMargin, kMargin + shape.numel()).reshape(shape);
}

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

template <class T>
T rounded(double value) {
  if constexpr (std::is_same_v<T, BFloat16>)
    return BFloat16(static_cast<float>(value));
  else if constexpr (std::is_integral_v<T>)
    return std::isnan(value) ? T{77} : static_cast<T>(value);
  else
    return static_cast<T>(value);
}

template <class T>
double widened(T value) {
  if constexpr (std::is_same_v<T, BFloat16>)
    return static_cast<double>(static_cast<float>(value));
  else
    return static_cast<double>(value);
}

// Offsets, in elements from the view's first one, in row-major order of the view.
std::vector<std::int64_t> offsets_of(const Tensor& tensor) {
  std::vector<std::int64_t> offsets{0};
  if (tensor.numel() == 0) return {};
  for (int axis = 0; axis < tensor.ndim(); ++axis) {
    std::vector<std::int64_t> longer;
    longer.reserve(offsets.size() * static_cast<std::size_t>(tensor.dim(axis)));
    for (const auto offset : offsets)
      for (std::int64_t i = 0; i < tensor.dim(axis); ++i) longer.push_back(offset + i * tensor.stride(axis));
    offsets = std::move(longer);
  }
  return offsets;
}

// The whole storage of a tensor on the host.
Tensor download_storage(const Context& ctx, const Tensor& tensor) {
  const auto elements = static_cast<std::int64_t>(tensor.storage()->bytes() / size_of(tensor.dtype()));
  return ctx.download(Tensor(tensor.storage(), tensor.dtype(), {elements}));
}

}  // namespace

std::int64_t offset_of(const Tensor& tensor, std::int64_t element) {
  auto offset = static_cast<std::int64_t>(tensor.byte_offset() / size_of(tensor.dtype()));
  for (int axis = tensor.ndim() - 1; axis >= 0; --axis) {
    offset += element % tensor.dim(axis) * tensor.stride(axis);
    element /= tensor.dim(axis);
  }
  return offset;
}

std::uint64_t seed_from_environment() {
  const char* text = std::getenv("STRATA_SEED");
  return text == nullptr || *text == '\0' ? kSeed : std::strtoull(text, nullptr, 10);
}

std::vector<double> draw_normal(const std::string& stream, std::int64_t count, std::uint64_t seed) {
  std::vector<double> numbers(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i)
    numbers[static_cast<std::size_t>(i)] = draws_at(seed, hash(stream), i).normal;
  return numbers;
}

std::vector<double> draw(const OpCase& the_case, std::size_t index, std::uint64_t seed) {
  const Input& input = the_case.inputs[index];
  const std::uint64_t stream = hash(the_case.name() + " input " + std::to_string(index));
  std::vector<double> numbers(static_cast<std::size_t>(input.shape.numel()));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto element = static_cast<std::int64_t>(i);
    const Draws draws = draws_at(seed, stream, element);
    numbers[i] = input.value(element, draws.normal, draws.uniform);
  }
  return numbers;
}

Tensor make_tensor(const Context& ctx, const std::vector<double>& values, const TensorSpec& spec, View view,
                   double around) {
  const Tensor host = host_tensor(spec.dtype, base_shape(spec.shape, view));
  const Tensor inside = view_of(host, spec.shape, view);
  with_type(spec.dtype, [&]<class T>(T) {
    T* whole = host.data<T>();
    for (std::int64_t i = 0; i < host.numel(); ++i) whole[i] = rounded<T>(around);
    T* first = inside.data<T>();
    auto value = values.begin();
    for (const auto offset : offsets_of(inside)) first[offset] = rounded<T>(*value++);
  });
  return view_of(ctx.upload(host), spec.shape, view);
}

std::vector<double> read(const Context& ctx, const Tensor& tensor) {
  const Tensor host = download_storage(ctx, tensor);
  std::vector<double> numbers;
  with_type(tensor.dtype(), [&]<class T>(T) {
    const T* first = host.data<T>() + tensor.byte_offset() / sizeof(T);
    for (const auto offset : offsets_of(tensor)) numbers.push_back(widened(first[offset]));
  });
  return numbers;
}

std::int64_t count_touched(const Context& ctx, const Tensor& tensor, double around) {
  const Tensor host = download_storage(ctx, tensor);
  std::int64_t touched = 0;
  with_type(tensor.dtype(), [&]<class T>(T) {
    std::vector<bool> inside(static_cast<std::size_t>(host.numel()), false);
    const std::size_t begin = tensor.byte_offset() / sizeof(T);
    for (const auto offset : offsets_of(tensor)) inside[begin + static_cast<std::size_t>(offset)] = true;
    const T* whole = host.data<T>();
    const double expected = widened(rounded<T>(around));
    for (std::size_t i = 0; i < inside.size(); ++i) touched += !inside[i] && widened(whole[i]) != expected ? 1 : 0;
  });
  return touched;
}

}  // namespace strata::conformance
