// SPDX-License-Identifier: Apache-2.0
#include "io/plot/canvas.hpp"

#include <algorithm>
#include <cmath>

namespace strata::io {

Layer::Layer(PixelBox box)
    : box_(box),
      coverage_(static_cast<std::size_t>(box.right - box.left) * static_cast<std::size_t>(box.bottom - box.top)) {}

void Layer::cover(double x0, double y0, double x1, double y1, double radius) {
  const double dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy, reach = radius + 1;
  const auto within = [](double value, int low, int high) {
    return static_cast<int>(std::clamp(value, static_cast<double>(low), static_cast<double>(high)));
  };
  const int top = within(std::min(y0, y1) - reach, box_.top, box_.bottom);
  const int bottom = within(std::max(y0, y1) + reach + 1, box_.top, box_.bottom);
  const int left = within(std::min(x0, x1) - reach, box_.left, box_.right);
  const int right = within(std::max(x0, x1) + reach + 1, box_.left, box_.right);
  const auto width = static_cast<std::size_t>(box_.right - box_.left);
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) {
      const double px = x + 0.5 - x0, py = y + 0.5 - y0;
      const double along = square > 0 ? std::clamp((px * dx + py * dy) / square, 0.0, 1.0) : 0.0;
      const double away = std::hypot(px - along * dx, py - along * dy);
      const double covered = std::clamp(radius + 0.5 - away, 0.0, 1.0);
      auto& pixel = coverage_[static_cast<std::size_t>(y - box_.top) * width + static_cast<std::size_t>(x - box_.left)];
      pixel = std::max(pixel, static_cast<std::uint8_t>(std::lround(covered * 255)));
    }
}

void Layer::line(double x0, double y0, double x1, double y1, double width) { cover(x0, y0, x1, y1, width / 2); }

void Layer::disc(double x, double y, double radius) { cover(x, y, x, y, radius); }

void Layer::lay_on(Image& image, Rgb colour) const {
  std::size_t at = 0;
  for (int y = box_.top; y < box_.bottom; ++y)
    for (int x = box_.left; x < box_.right; ++x, ++at) {
      if (coverage_[at] == 0) continue;
      const auto pixel = image.pixel(x, y);
      const int share = coverage_[at];
      for (std::size_t c = 0; c < 3; ++c)
        pixel[c] = static_cast<std::uint8_t>((pixel[c] * (255 - share) + colour[c] * share + 127) / 255);
    }
}

void fill_box(Image& image, PixelBox box, Rgb colour) {
  for (int y = std::max(box.top, 0); y < std::min(box.bottom, image.height); ++y)
    for (int x = std::max(box.left, 0); x < std::min(box.right, image.width); ++x)
      std::ranges::copy(colour, image.pixel(x, y).begin());
}

}  // namespace strata::io
