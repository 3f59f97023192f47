// SPDX-License-Identifier: Apache-2.0
//
// Strokes and discs with soft edges on an RGB image. A layer gathers what one colour covers and is laid on once, so
// that where segments meet nothing becomes darker. Pixel (x, y) has its centre at (x + ½, y + ½).
#pragma once

#include <cstdint>
#include <vector>

#include "io/image/image.hpp"

namespace strata::io {

struct PixelBox {
  int left = 0, top = 0, right = 0, bottom = 0;  // right and bottom lie outside
};

class Layer {
 public:
  explicit Layer(PixelBox box);  // what lies outside is cut

  void line(double x0, double y0, double x1, double y1, double width);
  void disc(double x, double y, double radius);
  void lay_on(Image& image, Rgb colour) const;

 private:
  // Coverage of the pixels near the segment by what lies within `radius` of it.
  void cover(double x0, double y0, double x1, double y1, double radius);

  PixelBox box_;
  std::vector<std::uint8_t> coverage_;  // [height, width]
};

void fill_box(Image& image, PixelBox box, Rgb colour);

}  // namespace strata::io
