// SPDX-License-Identifier: Apache-2.0
#include "strata/nn/init.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "strata/base/random.hpp"
#include "strata/nn/module.hpp"

namespace strata::nn {
namespace {

double standard_normal_cdf(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

double draw(const Init& init, double uniform) {
  switch (init.kind) {
    case Init::Kind::constant: return init.value;
    case Init::Kind::uniform: return (2 * uniform - 1) * init.value;
    case Init::Kind::normal: return inverse_erf(2 * uniform - 1) * std::numbers::sqrt2 * init.value;
    case Init::Kind::truncated_normal: break;
  }
  constexpr double kCut = 2.0;
  const double low = standard_normal_cdf(-kCut / init.value), high = standard_normal_cdf(kCut / init.value);
  const double at = std::clamp(2 * (low + uniform * (high - low)) - 1, -1 + 1e-16, 1 - 1e-16);
  return std::clamp(inverse_erf(at) * std::numbers::sqrt2 * init.value, -kCut, kCut);
}

template <class T>
Tensor host_from(const Shape& shape, const std::vector<double>& values) {
  Tensor host = host_tensor(dtype_of<T>, shape);
  T* to = host.data<T>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<T, BFloat16>)
      to[i] = BFloat16(static_cast<float>(values[i]));
    else
      to[i] = static_cast<T>(values[i]);
  }
  return host;
}

}  // namespace

std::uint64_t name_hash(const std::string& name) {  // FNV-1a
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

// Starts from the asymptotic form of Winitzki and refines it by Newton steps on erf, whose derivative is
// 2/sqrt(pi)·exp(−x²).
double inverse_erf(double y) {
  constexpr double a = 0.147;
  const double l = std::log1p(-y * y);
  const double t = 2 / (std::numbers::pi * a) + l / 2;
  double x = std::copysign(std::sqrt(std::sqrt(t * t - l / a) - t), y);
  for (int i = 0; i < 4; ++i) {
    const double error =
        std::abs(y) < 0.5 ? std::erf(x) - y : std::copysign(1.0, y) * ((1 - std::abs(y)) - std::erfc(std::abs(x)));
    x -= error * std::sqrt(std::numbers::pi) / 2 * std::exp(x * x);
  }
  return x;
}

std::vector<double> initial_values(const Init& init, std::uint64_t seed, const std::string& name, std::int64_t count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  if (init.kind == Init::Kind::constant) {
    std::ranges::fill(values, init.value);
    return values;
  }
  const RandomKey key{seed, RandomPurpose::initialisation};
  RandomCounter counter{.ordinal = name_hash(name)};
  for (std::size_t i = 0; i < values.size(); i += 2) {  // two words a value
    counter.block = static_cast<std::uint32_t>(i / 2);
    const auto words = random_words(key, counter);
    values[i] = draw(init, uniform_open(words[0], words[1]));
    if (i + 1 < values.size()) values[i + 1] = draw(init, uniform_open(words[2], words[3]));
  }
  return values;
}

Tensor tensor_from(const Context& ctx, DType dtype, const Shape& shape, const std::vector<double>& values) {
  switch (dtype) {
    case DType::f32: return ctx.upload(host_from<float>(shape, values));
    case DType::bf16: return ctx.upload(host_from<BFloat16>(shape, values));
    case DType::f64: return ctx.upload(host_from<double>(shape, values));
    default: break;
  }
  fail(ErrorKind::internal, "init", "parameters are floating-point");
}

void initialise(const Context& ctx, Module& root, std::uint64_t seed) {
  for (const auto& [path, parameter] : root.named_parameters()) {
    if (parameter->role() == Role::buffer) continue;
    STRATA_CHECK(parameter->placement().is_whole(), usage, path, "only a part of it is here",
                 "initialise before placing");
    const DType dtype = parameter->master_type();
    const Shape& shape = parameter->spec().shape;
    Context context = ctx;
    parameter->assign(context,
                      tensor_from(ctx, dtype, shape, initial_values(parameter->init(), seed, path, shape.numel())));
  }
}

}  // namespace strata::nn
