// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>

#include "io/plot/plot.hpp"
#include "strata/base/error.hpp"

namespace strata::io {
namespace {

constexpr std::array kMantissas{1, 2, 5};

// i · mantissa · 10^exponent, rounded once.
double multiple(double i, int mantissa, int exponent) {
  const double power = std::pow(10.0, std::abs(exponent));
  return exponent < 0 ? i * mantissa / power : i * mantissa * power;
}

// 10^from, 10^(from + every), …
std::vector<double> powers(int from, int to, int every) {
  std::vector<double> ticks;
  for (int k = from; k <= to; k += every) ticks.push_back(std::pow(10.0, k));
  return ticks;
}

std::vector<double> one_two_five(double low, double high) {
  std::vector<double> ticks;
  for (int k = static_cast<int>(std::floor(std::log10(low))); k <= std::log10(high); ++k)
    for (const int mantissa : kMantissas) {
      const double value = multiple(1, mantissa, k);
      if (value >= low && value <= high) ticks.push_back(value);
    }
  return ticks;
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int most) {
  STRATA_CHECK(low < high && most >= 1, usage, "plot", "an axis without length or ticks");
  const double slack = 1e-9;  // of a step: an end that is a multiple but for rounding
  for (int exponent = static_cast<int>(std::floor(std::log10(high - low))) - 3;; ++exponent)
    for (const int mantissa : kMantissas) {
      const double step = multiple(1, mantissa, exponent);
      const double first = std::ceil(low / step - slack), last = std::floor(high / step + slack);
      if (last - first + 1 > most) continue;
      std::vector<double> ticks;
      for (double i = first; i <= last; ++i) ticks.push_back(multiple(i, mantissa, exponent) + 0.0);  // no −0
      return ticks;
    }
}

std::vector<double> log_ticks(double low, double high, int most) {
  STRATA_CHECK(low > 0 && low < high && most >= 1, usage, "plot", "a logarithmic axis without length or ticks");
  const auto finer = one_two_five(low, high);
  if (finer.size() >= 2 && static_cast<int>(finer.size()) <= most) return finer;
  const int from = static_cast<int>(std::ceil(std::log10(low) - 1e-9));
  const int to = static_cast<int>(std::floor(std::log10(high) + 1e-9));
  return to > from ? powers(from, to, (to - from) / most + 1) : linear_ticks(low, high, most);
}

std::vector<double> smoothed(std::span<const double> y, double weight) {
  STRATA_CHECK(weight >= 0 && weight < 1, usage, "plot", "smoothing weighs the past by less than 1");
  std::vector<double> means(y.begin(), y.end());
  double sum = 0, weights = 0;
  for (double& value : means) {
    sum *= weight;
    weights *= weight;
    if (!std::isfinite(value)) continue;
    sum += value;
    weights += 1;
    value = sum / weights;
  }
  return means;
}

}  // namespace strata::io
