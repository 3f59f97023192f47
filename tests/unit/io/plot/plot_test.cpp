// SPDX-License-Identifier: Apache-2.0
#include "io/plot/plot.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "io/plot/canvas.hpp"
#include "strata/base/error.hpp"

namespace strata::io {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool near(std::span<const std::uint8_t> pixel, Rgb colour) {
  for (std::size_t c = 0; c < 3; ++c)
    if (std::abs(pixel[c] - colour[c]) > 8) return false;
  return true;
}

int count(const Image& image, Rgb colour, PixelBox box) {
  int found = 0;
  for (int y = box.top; y < box.bottom; ++y)
    for (int x = box.left; x < box.right; ++x) found += near(image.pixel(x, y), colour) ? 1 : 0;
  return found;
}

int count(const Image& image, Rgb colour) { return count(image, colour, {0, 0, image.width, image.height}); }

PlotSeries series(std::vector<double> y, std::size_t colour = 0) {
  PlotSeries made{.name = "s" + std::to_string(colour), .x = {}, .y = std::move(y), .colour = colour};
  for (std::size_t i = 0; i < made.y.size(); ++i) made.x.push_back(static_cast<double>(i));
  return made;
}

Image one(PlotSeries curve, bool log = false) {
  const PlotPanel panel{"p", {std::move(curve)}, log};
  return plot(std::span(&panel, 1), "t");
}

// The box around all pixels of a colour.
PixelBox extent(const Image& image, Rgb colour) {
  PixelBox found{1 << 20, 1 << 20, -1, -1};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      if (near(image.pixel(x, y), colour))
        found = {std::min(found.left, x), std::min(found.top, y), std::max(found.right, x + 1),
                 std::max(found.bottom, y + 1)};
  return found;
}

TEST(Layer, ALineCoversItsWidthOnceHoweverOftenItIsDrawn) {
  Image image = Image::filled(40, 20, 3, 255);
  Layer layer({0, 0, 40, 20});
  for (int i = 0; i < 3; ++i) layer.line(5, 10, 35, 10, 2);
  layer.lay_on(image, {0, 0, 0});
  for (const int y : {9, 10}) EXPECT_EQ(image.pixel(20, y)[0], 0);
  for (const int y : {7, 12}) EXPECT_EQ(image.pixel(20, y)[0], 255);
  Image soft = Image::filled(40, 20, 3, 255);
  Layer half({0, 0, 40, 20});
  for (int i = 0; i < 3; ++i) half.line(5, 10, 35, 10, 1);  // half a pixel on both sides
  half.lay_on(soft, {0, 0, 0});
  for (const int y : {9, 10}) EXPECT_NEAR(soft.pixel(20, y)[0], 127, 1);
}

TEST(Layer, WhatLiesOutsideIsCut) {
  Image image = Image::filled(10, 10, 3, 255);
  Layer layer({2, 2, 8, 8});
  layer.line(-1e6, -1e6, 1e6, 1e6, 3);
  layer.disc(0, 9, 4);
  layer.lay_on(image, {0, 0, 0});
  EXPECT_EQ(image.pixel(5, 5)[0], 0);
  for (const int at : {0, 1, 8, 9}) EXPECT_EQ(image.pixel(at, at)[0], 255);
}

TEST(Plot, ALineIsWhereItsValuesAre) {
  const Image image = one(series({0, 0, 1, 1}));
  const Rgb blue = plot_colour(0);
  const PixelBox all = extent(image, blue);
  const int width = all.right - all.left, third = width / 3;
  EXPECT_GT(all.bottom - all.top, 200);
  EXPECT_GT(width, 450);
  // Flat at the bottom, up in the second third, flat at the top.
  EXPECT_EQ(count(image, blue, {all.left, all.top, all.left + third - 5, all.bottom - 3}), 0);
  EXPECT_GE(count(image, blue, {all.left, all.bottom - 3, all.left + third - 5, all.bottom}), third - 5);
  EXPECT_EQ(count(image, blue, {all.right - third + 5, all.top + 4, all.right, all.bottom}), 0);
  EXPECT_GE(count(image, blue, {all.right - third + 5, all.top, all.right, all.top + 3}), third - 5);
  const int middle = all.left + width / 2, centre = (all.top + all.bottom) / 2;
  EXPECT_GT(count(image, blue, {middle - 4, centre - 4, middle + 5, centre + 5}), 4);
}

TEST(Plot, AMissingValueIsAGap) {
  const Rgb blue = plot_colour(0);
  for (const double missing : {kNan, std::numeric_limits<double>::infinity()}) {
    const Image image = one(series({0, 0, missing, 0, 0}));
    const PixelBox all = extent(image, blue);
    const int middle = (all.left + all.right) / 2, quarter = (all.right - all.left) / 4;
    EXPECT_EQ(count(image, blue, {middle - quarter + 5, 0, middle + quarter - 5, image.height}), 0);
    EXPECT_GE(count(image, blue, {all.left, 0, middle - quarter, image.height}), quarter - 5);
  }
  EXPECT_GT(count(one(series({kNan, 1, kNan})), blue), 5);  // a value without neighbours is a dot
  EXPECT_EQ(count(one(series({kNan, kNan})), blue), 0);
  const Image log = one(series({1, 10, 0, 10, 1}), true);
  const PixelBox all = extent(log, blue);
  const int middle = (all.left + all.right) / 2;
  EXPECT_EQ(count(log, blue, {middle - 50, 0, middle + 50, log.height}), 0);
}

TEST(Plot, ALogarithmicAxisMakesGrowthStraight) {
  const Image image = one(series({1, 10, 100}), true);
  const Rgb blue = plot_colour(0);
  const PixelBox all = extent(image, blue);
  const int x = (all.left + all.right) / 2, y = (all.top + all.bottom) / 2;
  EXPECT_GT(count(image, blue, {x - 3, y - 3, x + 4, y + 4}), 4);
  const Image linear = one(series({1, 10, 100}));
  EXPECT_EQ(count(linear, blue, {x - 3, y - 3, x + 4, y + 4}), 0);
}

TEST(Plot, ManyPointsAreDrawnAsTheyAre) {
  std::vector<double> y(200000, 0.0);
  y[60000] = 1;  // one peak among them
  const PixelBox all = extent(one(series(y)), plot_colour(0));
  EXPECT_GT(all.bottom - all.top, 200);
}

TEST(Plot, SeriesMarkersFaintAndLegendAllShow) {
  PlotPanel panel{"scores", {series({1, 2, 3}), series({3, 2, 1}, 1), series({2, 2, 2}, 2)}};
  const Image bare = plot(std::span(&panel, 1), "run");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_GT(count(bare, plot_colour(i)), 300) << i;
  panel.series[2].markers = true;
  const Image dotted = plot(std::span(&panel, 1), "run");
  EXPECT_GT(count(dotted, plot_colour(2)), count(bare, plot_colour(2)) + 30);
  EXPECT_NE(dotted, bare);
  panel.series[2].faint = {0, 4, 0};
  const Image faint = plot(std::span(&panel, 1), "run");
  EXPECT_NE(faint, dotted);
  EXPECT_GT(count(faint, {170, 223, 208}), 50);  // two thirds of the way from its green to white
  EXPECT_EQ(faint, plot(std::span(&panel, 1), "run"));
}

TEST(Plot, PanelsStandInRows) {
  const std::vector<PlotPanel> panels(3, {"a", {series({1, 2})}});
  const Image image = plot(panels, "title", {.columns = 2, .panel_width = 400, .panel_height = 300});
  EXPECT_EQ(image.width, 800);
  EXPECT_EQ(image.channels, 3);
  EXPECT_GT(count(image, plot_colour(0), {0, 340, 400, 640}), 100);
  EXPECT_EQ(count(image, plot_colour(0), {400, 340, 800, 640}), 0);
}

TEST(Plot, ColoursAreTellableApart) {
  for (std::size_t i = 0; i < 8; ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_FALSE(near(plot_colour(i), plot_colour(j))) << i << " " << j;
  EXPECT_EQ(plot_colour(8), plot_colour(0));
}

TEST(Plot, WhatCannotBeDrawnIsAnError) {
  PlotPanel panel{"a", {series({1, 2})}};
  const auto draw = [&](const PlotOptions& options) { return plot(std::span(&panel, 1), "t", options); };
  EXPECT_THROW(plot({}, "t"), Error);
  EXPECT_THROW(draw({.columns = 0}), Error);
  EXPECT_THROW(draw({.panel_width = 1 << 20, .panel_height = 1 << 20}), Error);
  EXPECT_THROW(draw({.panel_width = 110}), Error);
  EXPECT_NO_THROW(draw({.panel_width = 320, .panel_height = 200}));
  panel.series.resize(400, series({1, 2}));
  EXPECT_THROW(draw({}), Error);
  panel.series = {series({1, 2})};
  panel.series[0].x.pop_back();
  EXPECT_THROW(draw({}), Error);
}

}  // namespace
}  // namespace strata::io
