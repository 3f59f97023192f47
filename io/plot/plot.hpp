// SPDX-License-Identifier: Apache-2.0
//
// Line charts as pictures, panels side by side: curves of a training run, of several runs, a few thousand points each.
// What for: a look at numbers without a browser. When not: print, interaction. Cost: under a second for a million
// points; the same input gives the same pixels.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/image/image.hpp"

namespace strata::io {

// Points in the order they are joined. A value that is not finite (or, on a logarithmic axis, not above 0) is a gap.
struct PlotSeries {
  std::string name;
  std::vector<double> x, y;     // of one length
  std::size_t colour = 0;       // of plot_colour()
  bool markers = false;         // a dot at each point, for values that come now and then
  std::vector<double> faint{};  // drawn pale behind, over the same x: the values before smoothing; or nothing
};

struct PlotPanel {
  std::string title;
  std::vector<PlotSeries> series;
  bool log_y = false;
};

struct PlotOptions {
  int columns = 2;  // panels beside each other
  int panel_width = 640, panel_height = 400;
  std::string x_label = "step";
};

// RGB, on white. Panels of several series have a legend. Unequal lengths, no panel, or panels too small for their
// numbers or beyond 2^28 pixels: usage error. A panel without a finite value says so.
Image plot(std::span<const PlotPanel> panels, const std::string& title, const PlotOptions& options = {});

// Eight colours that colour-blind people can tell apart, in turn (Okabe and Ito, Color Universal Design, 2008; yellow
// darkened for white paper).
Rgb plot_colour(std::size_t index);

// Multiples of 1, 2 or 5 times a power of ten within [low, high], as many as `most` allows (and at least 2 if it allows
// 5); low < high.
std::vector<double> linear_ticks(double low, double high, int most);
// Powers of ten within [low, high] (0 < low < high), with twice and five times each where that many are allowed, every
// n-th power alone where not even all powers are; linear_ticks() on less than a decade that holds none of either.
std::vector<double> log_ticks(double low, double high, int most);

// Exponential mean that weights the past by `weight` in [0, 1), without the pull to 0 at the beginning:
// m_i = Σ_j w^(i-j) y_j / Σ_j w^(i-j) over the finite y. Gaps stay gaps.
std::vector<double> smoothed(std::span<const double> y, double weight);

}  // namespace strata::io
