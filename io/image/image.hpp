// SPDX-License-Identifier: Apache-2.0
//
// Pictures for people: 8-bit grey or RGB in memory, PNG files, captions in a small bitmap font. What for: montages,
// curves, test pictures. When not: data (16-bit images and volumes have formats of their own). Errors of files are
// [png] data errors on reading, environment errors on writing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace strata::io {

using Rgb = std::array<std::uint8_t, 3>;

struct Image {
  int width = 0, height = 0;
  int channels = 1;                  // 1 grey, 3 RGB
  std::vector<std::uint8_t> pixels;  // [height, width, channels]

  static Image filled(int width, int height, int channels, std::uint8_t value = 0);
  std::span<std::uint8_t> pixel(int x, int y);
  std::span<const std::uint8_t> pixel(int x, int y) const;
  bool operator==(const Image&) const = default;
};

Image to_rgb(const Image& image);

// 8 bits a channel, no alpha, no time stamp: the same image gives the same bytes. Whole or not at all.
void write_png(const std::string& path, const Image& image);
// Any PNG; palettes, 16 bits, few bits and alpha become 8-bit grey or RGB (over black).
Image read_png(const std::string& path);

// Copies `part` to (x, y); what lies outside is cut. A grey part fits into an RGB image.
void paste(Image& into, const Image& part, int x, int y);

inline constexpr int kGlyphWidth = 6, kGlyphHeight = 8;  // the letter and the gap behind and below it

// Upper and lower case look alike; what the font lacks is drawn as a box. `scale`: pixels a dot. Cut at the borders.
void draw_text(Image& image, int x, int y, std::string_view text, Rgb colour, int scale = 1);
int text_width(std::string_view text, int scale = 1);

}  // namespace strata::io
