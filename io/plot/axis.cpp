// SPDX-License-Identifier: Apache-2.0
#include "io/plot/axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "io/plot/plot.hpp"

namespace strata::io {
namespace {

constexpr double kLargest = 1e100, kSmallest = 1e-100;

// "2.5e-4": without the zeros and the plus that printf has.
std::string with_exponent(double value, int digits) {
  const std::string text = fmt::format("{:.{}e}", value, digits);
  const auto at = text.find('e');
  return text.substr(0, at) + "e" + std::to_string(std::stoi(text.substr(at + 1)));
}

// The fewest decimals, at most `most`, with which every tick reads back as itself.
template <class Write>
int digits_for(std::span<const double> ticks, double distance, const Write& write) {
  constexpr int kMost = 12;
  for (int digits = 0; digits < kMost; ++digits)
    if (std::ranges::all_of(
            ticks, [&](double tick) { return std::abs(std::stod(write(tick, digits)) - tick) <= 1e-3 * distance; }))
      return digits;
  return kMost;
}

}  // namespace

std::vector<std::string> tick_labels(std::span<const double> ticks) {
  double largest = 0, distance = std::numeric_limits<double>::max();
  for (std::size_t i = 0; i < ticks.size(); ++i) {
    largest = std::max(largest, std::abs(ticks[i]));
    distance = std::min(distance, i > 0 ? ticks[i] - ticks[i - 1] : distance);
  }
  distance = ticks.size() < 2 ? largest : std::min(distance, largest);
  const bool exponents = largest >= 1e6 || (largest > 0 && distance < 1e-4);
  const auto write = [&](double value, int digits) {
    return value == 0 ? "0" : exponents ? with_exponent(value, digits) : fmt::format("{:.{}f}", value, digits);
  };
  const int digits = digits_for(ticks, distance, write);
  std::vector<std::string> labels;
  for (const double tick : ticks) labels.push_back(write(tick, digits));
  return labels;
}

bool Axis::usable(double value, bool log) {
  return log ? value >= kSmallest && value <= kLargest : std::abs(value) <= kLargest;  // false for NaN
}

Axis::Axis(std::span<const double> values, bool log, double margin) : log_(log) {
  for (const double value : values) {
    if (!usable(value, log)) continue;
    const double at = scaled(value);
    low_ = any_ ? std::min(low_, at) : at;
    high_ = any_ ? std::max(high_, at) : at;
    any_ = true;
  }
  const double size = std::max(std::abs(low_), std::abs(high_));
  double extra = margin * (high_ - low_);
  // One value, or values that only rounding tells apart.
  if (high_ - low_ <= 1e-9 * size || high_ == low_) extra = log || size == 0 ? 0.5 : 0.1 * size;
  low_ -= extra;
  high_ += extra;
}

double Axis::scaled(double value) const { return log_ ? std::log10(value) : value; }

void Axis::place(double first_pixel, double last_pixel) {
  first_pixel_ = first_pixel;
  last_pixel_ = last_pixel;
}

double Axis::pixel(double value) const {
  return first_pixel_ + (scaled(value) - low_) / (high_ - low_) * (last_pixel_ - first_pixel_);
}

std::vector<Axis::Tick> Axis::ticks(int most, bool whole_numbers) const {
  std::vector<double> values =
      log_ ? log_ticks(std::pow(10.0, low_), std::pow(10.0, high_), most) : linear_ticks(low_, high_, most);
  if (whole_numbers) std::erase_if(values, [](double value) { return value != std::floor(value); });
  std::vector<std::string> labels = tick_labels(values);
  if (log_)  // each on its own: 0.001 beside 1000
    for (std::size_t i = 0; i < values.size(); ++i) labels[i] = tick_labels(std::span(values).subspan(i, 1)).front();
  std::vector<Tick> ticks;
  for (std::size_t i = 0; i < values.size(); ++i) ticks.push_back({values[i], labels[i]});
  return ticks;
}

}  // namespace strata::io
