// SPDX-License-Identifier: Apache-2.0
//
// The cpu backend in every instruction set that this machine offers, for tests that compare them.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "backends/cpu/cpu.hpp"
#include "strata/base/random.hpp"
#include "strata/runtime/context.hpp"

namespace strata::test {

inline std::vector<CpuIsa> instruction_sets() {
  std::vector<CpuIsa> sets;
  for (int i = 0; i <= static_cast<int>(cpu_features().best); ++i) sets.push_back(static_cast<CpuIsa>(i));
  return sets;
}

// Uniform in [low, high), the same for the same `stream`.
inline std::vector<float> uniform(std::int64_t n, float low, float high, std::uint64_t stream = 0) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = low + (high - low) * uniform_float(random_word({stream, RandomPurpose::test}, {}, i));
  return values;
}

// The distance between a float and the exact value, in units of the float's last place there.
inline double ulps(float value, double exact) {
  const float rounded = static_cast<float>(exact);
  if (std::isnan(value) || std::isnan(exact)) return std::isnan(value) == std::isnan(exact) ? 0 : INFINITY;
  if (std::isinf(rounded)) return value == rounded ? 0 : INFINITY;
  const double unit =
      static_cast<double>(std::nextafter(std::fabs(rounded), INFINITY)) - std::fabs(static_cast<double>(rounded));
  return std::fabs(static_cast<double>(value) - exact) / unit;
}

}  // namespace strata::test
