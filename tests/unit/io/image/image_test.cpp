// SPDX-License-Identifier: Apache-2.0
#include "io/image/image.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

using fixtures::message_of;
using fixtures::read_all;
using fixtures::ScratchFolder;
using fixtures::write_all;

Image pattern(int width, int height, int channels) {
  Image image = Image::filled(width, height, channels);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 37 + i / 7);
  return image;
}

TEST(Png, GreyAndColourComeBack) {
  const ScratchFolder folder;
  for (const int channels : {1, 3})
    for (const int width : {1, 7, 300}) {
      const Image image = pattern(width, 5, channels);
      const std::string path = folder.file("a.png");
      write_png(path, image);
      EXPECT_EQ(read_png(path), image) << channels << " channels, width " << width;
    }
}

TEST(Png, TheSameImageGivesTheSameBytes) {
  const ScratchFolder folder;
  write_png(folder.file("a.png"), pattern(20, 10, 3));
  write_png(folder.file("b.png"), pattern(20, 10, 3));
  EXPECT_EQ(read_all(folder.file("a.png")), read_all(folder.file("b.png")));
}

TEST(Png, BrokenFilesAreDataErrors) {
  const ScratchFolder folder;
  const std::string path = folder.file("a.png");
  write_png(path, pattern(40, 30, 1));
  const std::string whole = read_all(path);
  for (const std::size_t kept : {std::size_t{0}, std::size_t{7}, std::size_t{40}, whole.size() / 2}) {
    write_all(path, whole.substr(0, kept));
    const std::string message = message_of([&] { read_png(path); }, ErrorKind::data);
    EXPECT_TRUE(message.starts_with("[png] ") && message.find("cannot be read: ") != std::string::npos) << message;
  }
}

TEST(Image, PasteCutsAtTheBorders) {
  Image into = Image::filled(4, 4, 3);
  paste(into, Image::filled(3, 3, 1, 200), 2, -1);
  int set = 0;
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 4; ++x) {
      const bool inside = x >= 2 && y < 2;
      EXPECT_EQ(into.pixel(x, y)[1], inside ? 200 : 0) << x << "," << y;
      set += inside ? 1 : 0;
    }
  EXPECT_EQ(set, 4);
}

TEST(Text, LettersAreDrawnWithinTheirWidth) {
  Image image = Image::filled(text_width("L", 2) + 4, 20, 1);
  draw_text(image, 2, 2, "l", {255, 255, 255}, 2);
  int lit = 0;
  for (const auto value : image.pixels) lit += value == 255 ? 1 : 0;
  EXPECT_EQ(lit, 4 * (6 + 5));  // a stem of six dots on a foot of five
  EXPECT_EQ(text_width("Grün"), 4 * kGlyphWidth);
}

TEST(Text, NothingIsDrawnOutsideOfTheImage) {
  Image image = Image::filled(10, 10, 3);
  draw_text(image, -300, -3, std::string(400, 'M'), {9, 9, 9}, 3);
  EXPECT_EQ(image.pixels.size(), 300U);
}

}  // namespace
}  // namespace strata::io
