// SPDX-License-Identifier: Apache-2.0
//
// The normal distribution in double, as GELU needs it.
#pragma once

#include <cmath>
#include <numbers>

namespace strata::reference {

inline double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
inline double normal_density(double x) {
  return std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

}  // namespace strata::reference
