// SPDX-License-Identifier: Apache-2.0
#include "io/image/image.hpp"

#include <algorithm>

#include "strata/base/error.hpp"

namespace strata::io {

Image Image::filled(int width, int height, int channels, std::uint8_t value) {
  STRATA_CHECK(width > 0 && height > 0 && (channels == 1 || channels == 3), internal, "image",
               "an image of no size or of an unknown kind");
  Image image{.width = width, .height = height, .channels = channels, .pixels = {}};
  image.pixels.assign(
      static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * static_cast<std::size_t>(channels), value);
  return image;
}

std::span<std::uint8_t> Image::pixel(int x, int y) {
  const auto at = (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
                  static_cast<std::size_t>(channels);
  return std::span(pixels).subspan(at, static_cast<std::size_t>(channels));
}

std::span<const std::uint8_t> Image::pixel(int x, int y) const {
  const auto at = (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
                  static_cast<std::size_t>(channels);
  return std::span(pixels).subspan(at, static_cast<std::size_t>(channels));
}

Image to_rgb(const Image& image) {
  if (image.channels == 3) return image;
  Image out = Image::filled(image.width, image.height, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    std::fill_n(out.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, image.pixels[i]);
  return out;
}

void paste(Image& into, const Image& part, int x, int y) {
  STRATA_CHECK(into.channels >= part.channels, internal, "image", "colours do not fit into a grey image");
  for (int v = std::max(0, -y); v < std::min(part.height, into.height - y); ++v)
    for (int u = std::max(0, -x); u < std::min(part.width, into.width - x); ++u) {
      const auto from = part.pixel(u, v);
      const auto to = into.pixel(x + u, y + v);
      for (std::size_t c = 0; c < to.size(); ++c) to[c] = from[std::min(c, from.size() - 1)];
    }
}

}  // namespace strata::io
