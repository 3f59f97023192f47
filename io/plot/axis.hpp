// SPDX-License-Identifier: Apache-2.0
//
// One axis of a chart: which values it spans, where they lie in pixels, what numbers stand at it.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace strata::io {

class Axis {
 public:
  // Spans the usable values, with `margin` of its length to spare at both ends. No usable value: 0 to 1, or 1 to 10.
  Axis(std::span<const double> values, bool log, double margin);

  // Finite and of a size that leaves room for sums; above 0 where the axis is logarithmic.
  static bool usable(double value, bool log);

  bool any() const { return any_; }
  bool log() const { return log_; }
  void place(double first_pixel, double last_pixel);  // where the span begins and ends
  double pixel(double value) const;

  struct Tick {
    double value;
    std::string label;
  };
  std::vector<Tick> ticks(int most, bool whole_numbers) const;

 private:
  double scaled(double value) const;

  bool log_ = false, any_ = false;
  double low_ = 0, high_ = 1;  // scaled
  double first_pixel_ = 0, last_pixel_ = 1;
};

// The ticks' numbers, all in one form: as many digits as their distance asks for, or with an exponent.
std::vector<std::string> tick_labels(std::span<const double> ticks);

}  // namespace strata::io
