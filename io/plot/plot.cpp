// SPDX-License-Identifier: Apache-2.0
#include "io/plot/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "io/plot/axis.hpp"
#include "io/plot/canvas.hpp"
#include "strata/base/error.hpp"

namespace strata::io {
namespace {

constexpr int kScale = 2, kLetter = kGlyphWidth * kScale, kLine = kGlyphHeight * kScale;
constexpr int kGap = 8;      // between things
constexpr int kSwatch = 20;  // a legend's piece of line
constexpr int kTitleHeight = kLine + 3 * kGap;
constexpr Rgb kInk{40, 40, 40}, kGrid{228, 228, 228}, kFrame{120, 120, 120};
constexpr double kStroke = 2, kThin = 1, kDot = 3.5;

// What does not fit is cut in its middle: names of runs differ at their ends.
std::string fitted(const std::string& text, int width) {
  const auto letters = static_cast<std::size_t>(std::max(width / kLetter, 5));
  if (text.size() <= letters) return text;
  const std::size_t front = (letters - 2) / 2;
  return text.substr(0, front) + ".." + text.substr(text.size() - (letters - 2 - front));
}

// Words drawn in one line, from the left or around a middle.
void draw_centred(Image& image, int middle, int y, const std::string& text) {
  draw_text(image, middle - text_width(text, kScale) / 2, y, text, kInk, kScale);
}

struct LegendEntry {
  std::string name;
  Rgb colour;
  bool markers;
  int x, line;
};

// Names from left to right, in as many lines as they take.
std::vector<LegendEntry> legend_of(const PlotPanel& panel, int width) {
  std::vector<LegendEntry> entries;
  if (panel.series.size() < 2) return entries;
  int x = 0, line = 0;
  for (const auto& series : panel.series) {
    const std::string name = fitted(series.name, width - kSwatch - 2 * kGap);
    const int needed = kSwatch + kGap + text_width(name, kScale) + 2 * kGap;
    if (x > 0 && x + needed - 2 * kGap > width) {
      x = 0;
      ++line;
    }
    entries.push_back({name, plot_colour(series.colour), series.markers, x, line});
    x += needed;
  }
  return entries;
}

void draw_legend(Image& image, std::span<const LegendEntry> entries, PixelBox box) {
  for (const auto& entry : entries) {
    const int x = box.left + entry.x, y = box.top + entry.line * (kLine + 4);
    Layer layer({x, y, std::min(x + kSwatch, box.right), y + kLine});
    const double middle = y + kLine / 2.0 - 1;
    layer.line(x + 2, middle, x + kSwatch - 2, middle, kStroke + 1);
    if (entry.markers) layer.disc(x + kSwatch / 2.0, middle, kDot + 1);
    layer.lay_on(image, entry.colour);
    draw_text(image, x + kSwatch + kGap, y, entry.name, kInk, kScale);
  }
}

struct Point {
  double x, y;  // pixels
};

// Points that follow each other without a gap. Of those that fall into one column of pixels the first, the lowest, the
// highest and the last one draw the same line.
std::vector<std::vector<Point>> pieces_of(std::span<const double> xs, std::span<const double> ys, const Axis& across,
                                          const Axis& up) {
  std::vector<std::vector<Point>> pieces;
  std::vector<Point> piece, column;
  const auto end_column = [&] {
    if (column.size() > 4) {
      const auto [low, high] =
          std::ranges::minmax_element(column, [](const Point& a, const Point& b) { return a.y < b.y; });
      column = {column.front(), low < high ? *low : *high, low < high ? *high : *low, column.back()};
    }
    piece.insert(piece.end(), column.begin(), column.end());
    column.clear();
  };
  const auto end_piece = [&] {
    end_column();
    if (!piece.empty()) pieces.push_back(std::move(piece));
    piece.clear();
  };
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (!Axis::usable(xs[i], across.log()) || !Axis::usable(ys[i], up.log())) {
      end_piece();
      continue;
    }
    const Point point{across.pixel(xs[i]), up.pixel(ys[i])};
    if (!column.empty() && std::floor(column.back().x) != std::floor(point.x)) end_column();
    column.push_back(point);
  }
  end_piece();
  return pieces;
}

void draw_curve(Image& image, const PixelBox& box, const std::vector<std::vector<Point>>& pieces, Rgb colour,
                double width, bool markers) {
  Layer layer(box);
  for (const auto& piece : pieces) {
    for (std::size_t i = 1; i < piece.size(); ++i)
      layer.line(piece[i - 1].x, piece[i - 1].y, piece[i].x, piece[i].y, width);
    if (markers || piece.size() == 1)  // one value between gaps is to be seen, too
      for (const auto& point : piece) layer.disc(point.x, point.y, markers ? kDot : 1.25 * width + 0.5);
  }
  layer.lay_on(image, colour);
}

Rgb pale(Rgb colour) {
  for (auto& part : colour) part = static_cast<std::uint8_t>((part + 2 * 255) / 3);
  return colour;
}

class PanelPainter {
 public:
  PanelPainter(Image& image, const PlotPanel& panel, PixelBox area)
      : image_(image),
        panel_(panel),
        area_(area),
        legend_(legend_of(panel, area.right - area.left - 2 * kGap)),
        across_(gather(&PlotSeries::x, false), false, 0.01),
        up_(gather(&PlotSeries::y, true), panel.log_y, 0.05) {
    box_ = {area.left + kGap, area.top + 2 * kGap + kLine, area.right - 2 * kGap, area.bottom - 2 * kLine - 3 * kGap};
    if (!legend_.empty()) box_.top += (legend_.back().line + 1) * (kLine + 4) + kGap / 2;
    STRATA_CHECK(box_.bottom - box_.top >= 2 * kLine, usage, "plot",
                 fmt::format("a panel of {} pixels in height is too low for a legend of {} names",
                             area.bottom - area.top, panel.series.size()),
                 "use higher panels or fewer series");
    up_.place(box_.bottom, box_.top);
    rows_ = up_.ticks(std::max((box_.bottom - box_.top) / (5 * kLine / 2), 5), false);
    int widest = 0;
    for (const auto& row : rows_) widest = std::max(widest, text_width(row.label, kScale));
    box_.left += widest + kGap;
    STRATA_CHECK(box_.right - box_.left >= 10 * kLetter, usage, "plot",
                 fmt::format("a panel of {} pixels in width is too narrow for its numbers", area.right - area.left),
                 "use wider panels");
    across_.place(box_.left, box_.right);
  }

  void paint(const std::string& x_label) {
    draw_centred(image_, (box_.left + box_.right) / 2, area_.top + kGap,
                 fitted(panel_.title, area_.right - area_.left));
    draw_legend(image_, legend_, {area_.left + kGap, area_.top + 2 * kGap + kLine, area_.right, area_.bottom});
    paint_rows();
    paint_columns();
    draw_centred(image_, (box_.left + box_.right) / 2, box_.bottom + kLine + 2 * kGap, x_label);
    paint_frame();
    if (!up_.any()) draw_centred(image_, (box_.left + box_.right) / 2, (box_.top + box_.bottom) / 2, "no finite value");
    paint_curves();
  }

 private:
  std::vector<double> gather(std::vector<double> PlotSeries::*field, bool faint) const {
    std::vector<double> values;
    for (const auto& series : panel_.series) {
      values.insert(values.end(), (series.*field).begin(), (series.*field).end());
      if (faint) values.insert(values.end(), series.faint.begin(), series.faint.end());
    }
    return values;
  }

  void paint_rows() {
    for (const auto& row : rows_) {
      const int y = static_cast<int>(std::lround(up_.pixel(row.value)));
      fill_box(image_, {box_.left, y, box_.right, y + 1}, kGrid);
      draw_text(image_, box_.left - kGap - text_width(row.label, kScale), y - kLine / 2 + 1, row.label, kInk, kScale);
    }
  }

  // As many ticks as their numbers leave room for; steps are whole.
  void paint_columns() {
    bool whole = true;
    for (const double x : gather(&PlotSeries::x, false)) whole = whole && x == std::floor(x);
    std::vector<Axis::Tick> columns;
    for (int most = 10; most >= 2; --most) {
      columns = across_.ticks(most, whole);
      int widest = 0;
      for (const auto& column : columns) widest = std::max(widest, text_width(column.label, kScale) + 2 * kLetter);
      if (widest * most <= box_.right - box_.left) break;
    }
    for (const auto& column : columns) {
      const int x = static_cast<int>(std::lround(across_.pixel(column.value)));
      fill_box(image_, {x, box_.top, x + 1, box_.bottom}, kGrid);
      draw_centred(image_, std::min(x, area_.right - text_width(column.label, kScale) / 2), box_.bottom + kGap,
                   column.label);
    }
  }

  void paint_frame() {
    fill_box(image_, {box_.left - 1, box_.bottom, box_.right + 1, box_.bottom + 1}, kFrame);
    fill_box(image_, {box_.left - 1, box_.top, box_.left, box_.bottom + 1}, kFrame);
  }

  void paint_curves() {
    PixelBox inside{box_.left, box_.top - 4, box_.right + 4, box_.bottom};
    for (const auto& series : panel_.series)
      if (!series.faint.empty())
        draw_curve(image_, inside, pieces_of(series.x, series.faint, across_, up_), pale(plot_colour(series.colour)),
                   kThin, false);
    for (const auto& series : panel_.series)
      draw_curve(image_, inside, pieces_of(series.x, series.y, across_, up_), plot_colour(series.colour), kStroke,
                 series.markers);
  }

  Image& image_;
  const PlotPanel& panel_;
  PixelBox area_, box_;
  std::vector<LegendEntry> legend_;
  Axis across_, up_;
  std::vector<Axis::Tick> rows_;
};

void check(std::span<const PlotPanel> panels, const PlotOptions& options, int rows) {
  STRATA_CHECK(!panels.empty(), usage, "plot", "there is no panel to draw");
  STRATA_CHECK(
      options.columns >= 1 && options.panel_width >= 100 && options.panel_height >= 100, usage, "plot",
      fmt::format("{} columns of panels of {} x {} pixels", options.columns, options.panel_width, options.panel_height),
      "give at least one column, and panels of at least 100 x 100");
  const double pixels = static_cast<double>(options.panel_width) * options.columns * options.panel_height * rows;
  STRATA_CHECK(pixels <= 1 << 28, usage, "plot", fmt::format("a picture of {:.0f} pixels", pixels),
               "use fewer or smaller panels");
  for (const auto& panel : panels)
    for (const auto& series : panel.series)
      STRATA_CHECK(
          series.x.size() == series.y.size() && (series.faint.empty() || series.faint.size() == series.x.size()), usage,
          "plot",
          fmt::format("series '{}' has {} x, {} y and {} faint values", series.name, series.x.size(), series.y.size(),
                      series.faint.size()));
}

}  // namespace

Rgb plot_colour(std::size_t index) {
  constexpr std::array<Rgb, 8> kColours{Rgb{0, 114, 178}, Rgb{213, 94, 0},   Rgb{0, 158, 115}, Rgb{204, 121, 167},
                                        Rgb{230, 159, 0}, Rgb{86, 180, 233}, Rgb{0, 0, 0},     Rgb{184, 170, 20}};
  return kColours[index % kColours.size()];
}

Image plot(std::span<const PlotPanel> panels, const std::string& title, const PlotOptions& options) {
  const int count = static_cast<int>(panels.size());
  const int columns = std::max(1, std::min(options.columns, count)), rows = (count + columns - 1) / columns;
  check(panels, options, rows);
  Image image = Image::filled(columns * options.panel_width, kTitleHeight + rows * options.panel_height, 3, 255);
  draw_centred(image, image.width / 2, kGap, fitted(title, image.width));
  for (int i = 0; i < count; ++i) {
    const int left = i % columns * options.panel_width, top = kTitleHeight + i / columns * options.panel_height;
    PanelPainter(image, panels[static_cast<std::size_t>(i)],
                 {left, top, left + options.panel_width, top + options.panel_height})
        .paint(options.x_label);
  }
  return image;
}

}  // namespace strata::io
