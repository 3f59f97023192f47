// SPDX-License-Identifier: Apache-2.0
#include "io/image/montage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"

namespace strata::io {
namespace {

constexpr int kGap = 2, kCaption = kGlyphHeight + 6, kTitle = 2 * kGlyphHeight + 8;
constexpr Rgb kBright{235, 235, 235}, kFaint{120, 200, 255};

double length(const study::Vec3& v) { return std::hypot(v[0], v[1], v[2]); }

// What an output pixel takes from a line of n voxels: a triangle over as many as it covers, two at least.
struct Taps {
  std::int64_t first = 0, nearest = 0;
  std::vector<float> weights;
};

std::vector<Taps> taps_of(std::int64_t n, int pixels, bool flip) {
  std::vector<Taps> all;
  const double scale = static_cast<double>(n) / pixels, reach = std::max(1.0, scale);
  for (int i = 0; i < pixels; ++i) {
    const double at = (flip ? pixels - 1 - i : i) * scale + 0.5 * scale - 0.5;
    Taps taps;
    taps.nearest = std::clamp<std::int64_t>(std::llround(at), 0, n - 1);
    taps.first = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(at - reach)), 0, n - 1);
    const auto last = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(at + reach)), taps.first, n - 1);
    float sum = 0;
    for (auto k = taps.first; k <= last; ++k) {
      taps.weights.push_back(static_cast<float>(std::max(1e-6, 1 - std::abs(static_cast<double>(k) - at) / reach)));
      sum += taps.weights.back();
    }
    for (auto& weight : taps.weights) weight /= sum;
    all.push_back(std::move(taps));
  }
  return all;
}

// A scan's slices, all cut in the same way.
class Slicer {
 public:
  Slicer(const MontageRow& row, int tile) : row_(row), view_(view_of(row.geometry)) {
    const auto& extents = row.geometry.extents;
    const auto right = static_cast<std::size_t>(view_.right_axis), down = static_cast<std::size_t>(view_.down_axis);
    const double wide = static_cast<double>(extents[right]) * length(row.geometry.steps[right]);
    const double high = static_cast<double>(extents[down]) * length(row.geometry.steps[down]);
    const double scale = tile / std::max(wide, high);
    width_ = std::max(1, static_cast<int>(std::lround(wide * scale)));
    height_ = std::max(1, static_cast<int>(std::lround(high * scale)));
    columns_ = taps_of(extents[right], width_, view_.flip_right);
    rows_ = taps_of(extents[down], height_, view_.flip_down);
    stride_right_ = view_.right_axis == 2 ? 1 : extents[2];
    stride_down_ = view_.down_axis == 2 ? 1 : extents[2];
  }

  const SliceView& view() const { return view_; }
  int width() const { return width_; }
  int height() const { return height_; }

  Image cut(std::int64_t slice) const {
    const auto base = slice * row_.geometry.extents[1] * row_.geometry.extents[2];
    Image image = Image::filled(width_, height_, 3);
    const double scale = 255 / (row_.white - row_.black);
    for (int y = 0; y < height_; ++y)
      for (int x = 0; x < width_; ++x) {
        const Taps &down = rows_[static_cast<std::size_t>(y)], &right = columns_[static_cast<std::size_t>(x)];
        const double grey = std::clamp((value(base, down, right) - row_.black) * scale, 0.0, 255.0);
        const auto pixel = image.pixel(x, y);
        for (auto& channel : pixel) channel = static_cast<std::uint8_t>(grey + 0.5);
        tint(pixel, base + down.nearest * stride_down_ + right.nearest * stride_right_);
      }
    return image;
  }

 private:
  double value(std::int64_t base, const Taps& down, const Taps& right) const {
    double sum = 0;
    for (std::size_t j = 0; j < down.weights.size(); ++j) {
      const auto line = base + (down.first + static_cast<std::int64_t>(j)) * stride_down_;
      for (std::size_t i = 0; i < right.weights.size(); ++i)
        sum += static_cast<double>(down.weights[j] * right.weights[i]) *
               static_cast<double>(row_.voxels[static_cast<std::size_t>(
                   line + (right.first + static_cast<std::int64_t>(i)) * stride_right_)]);
    }
    return sum;
  }

  void tint(std::span<std::uint8_t> pixel, std::int64_t at) const {
    const std::uint8_t label = row_.labels.empty() ? std::uint8_t{0} : row_.labels[static_cast<std::size_t>(at)];
    if (label == 0) return;
    const Rgb colour = label_colour(label);
    for (std::size_t c = 0; c < 3; ++c) pixel[c] = static_cast<std::uint8_t>((13 * pixel[c] + 7 * colour[c]) / 20);
  }

  const MontageRow& row_;
  SliceView view_;
  int width_ = 0, height_ = 0;
  std::vector<Taps> columns_, rows_;
  std::int64_t stride_right_ = 1, stride_down_ = 1;
};

int shown_slices(const MontageRow& row, const MontageOptions& options) {
  return static_cast<int>(std::min<std::int64_t>(options.slices, row.geometry.extents[0]));
}

std::int64_t height_of(const MontageRow& row, const Slicer& slicer, const MontageOptions& options) {
  const std::int64_t lines = (shown_slices(row, options) + options.columns - 1) / options.columns;
  return kCaption + lines * (slicer.height() + kGap);
}

void check_row(const MontageRow& row) {
  const auto& e = row.geometry.extents;
  const bool there =
      e[0] > 0 && e[1] > 0 && e[2] > 0 && row.voxels.size() == static_cast<std::size_t>(e[0] * e[1] * e[2]);
  STRATA_CHECK(there, usage, "montage", "a scan has no voxels, or not as many as its extents say");
  STRATA_CHECK(row.labels.empty() || row.labels.size() == row.voxels.size(), usage, "montage",
               "labels and voxels are not on one grid");
  STRATA_CHECK(row.white > row.black, usage, "montage",
               fmt::format("the window from {} to {} is empty", row.black, row.white),
               "give a centre and a width above 0");
}

void draw_letters(Image& image, const SliceView& view, int x, int y, int width, int height) {
  const auto put = [&](int u, int v, char letter) { draw_text(image, u, v, std::string_view(&letter, 1), kFaint); };
  put(x + 1, y + height / 2 - 4, view.left);
  put(x + width - kGlyphWidth, y + height / 2 - 4, view.right);
  put(x + width / 2 - 3, y + 1, view.top);
  put(x + width / 2 - 3, y + height - kGlyphHeight, view.bottom);
}

// One scan below the caption, from (0, y) on.
void draw_row(Image& image, const MontageRow& row, const Slicer& slicer, const MontageOptions& options, int y) {
  const auto& view = slicer.view();
  const char* sides = view.left == 'R' ? "left of the picture = right of the patient" : "left of the picture = face";
  draw_text(image, 2, y + 3, fmt::format("{} - {}, {}", row.caption, view.plane, sides), kBright);
  const std::int64_t slices = row.geometry.extents[0], shown = shown_slices(row, options);
  for (std::int64_t i = 0; i < shown; ++i) {
    std::int64_t slice = (2 * i + 1) * slices / (2 * shown);
    if (slicer.view().flip_slices) slice = slices - 1 - slice;
    const int x = static_cast<int>(i % options.columns) * (options.tile + kGap) + (options.tile - slicer.width()) / 2;
    const int top = y + kCaption + static_cast<int>(i / options.columns) * (slicer.height() + kGap);
    paste(image, slicer.cut(slice), x, top);
    draw_text(image, x + 1, top + slicer.height() - kGlyphHeight, fmt::format("{}", slice + 1), kFaint);
    if (i == 0) draw_letters(image, slicer.view(), x, top, slicer.width(), slicer.height());
  }
}

}  // namespace

SliceView view_of(const study::Geometry& geometry) {
  const auto& s = geometry.steps;
  const auto part = [&](std::size_t step, std::size_t axis) {
    return std::abs(s[step][axis]) / std::max(length(s[step]), 1e-9);
  };
  // The slices' normal decides the plane: a sheared stack may progress along another direction.
  const study::Vec3 normal{s[2][1] * s[1][2] - s[2][2] * s[1][1], s[2][2] * s[1][0] - s[2][0] * s[1][2],
                           s[2][0] * s[1][1] - s[2][1] * s[1][0]};
  std::size_t through = 0;
  for (std::size_t axis = 1; axis < 3; ++axis)
    if (std::abs(normal[axis]) > std::abs(normal[through]) * (1 + 1e-9)) through = axis;
  SliceView view;
  view.plane = through == 2 ? "axial" : through == 1 ? "coronal" : "sagittal";
  const std::size_t right = through == 0 ? 1 : 0, down = through == 2 ? 1 : 2;  // of x, y, z
  view.right_axis = part(2, right) + part(1, down) >= part(1, right) + part(2, down) ? 2 : 1;
  view.down_axis = 3 - view.right_axis;
  view.left = through == 0 ? 'A' : 'R';
  view.right = through == 0 ? 'P' : 'L';
  view.top = through == 2 ? 'A' : 'S';
  view.bottom = through == 2 ? 'P' : 'I';
  // Pictures run towards left, back and below: against x, y and z.
  view.flip_right = s[static_cast<std::size_t>(view.right_axis)][right] > 0;
  view.flip_down = s[static_cast<std::size_t>(view.down_axis)][down] > 0;
  view.flip_slices = through == 2 ? s[0][2] < 0 : s[0][through] > 0;
  return view;
}

Rgb label_colour(std::uint8_t label) {
  constexpr std::array<Rgb, 8> kColours{{{255, 64, 64},
                                         {64, 200, 255},
                                         {255, 210, 0},
                                         {80, 255, 80},
                                         {255, 80, 255},
                                         {255, 140, 0},
                                         {120, 120, 255},
                                         {0, 255, 200}}};
  return kColours[(label + 7u) % 8u];
}

Image montage(std::span<const MontageRow> rows, const std::string& title, const MontageOptions& options) {
  STRATA_CHECK(!rows.empty(), usage, "montage", "there is nothing to show");
  STRATA_CHECK(
      options.slices > 0 && options.columns > 0 && options.tile >= 16 && options.tile <= 4096, usage, "montage",
      fmt::format("{} slices of {} pixels in {} columns were asked for", options.slices, options.tile, options.columns),
      "ask for one slice and one column at least, of 16 to 4,096 pixels");
  std::vector<Slicer> slicers;
  std::int64_t columns = 1, height = kTitle;
  for (const auto& row : rows) {
    check_row(row);
    slicers.emplace_back(row, options.tile);
    columns = std::max<std::int64_t>(columns, std::min(shown_slices(row, options), options.columns));
    height += height_of(row, slicers.back(), options);
  }
  const std::int64_t width = std::max<std::int64_t>(columns * (options.tile + kGap), 320);
  STRATA_CHECK(width * height <= (std::int64_t{1} << 28), usage, "montage",
               fmt::format("the picture would have {} x {} pixels", width, height),
               "ask for fewer slices, or smaller ones");
  Image image = Image::filled(static_cast<int>(width), static_cast<int>(height), 3, 16);
  draw_text(image, 4, 4, title, kBright, 2);
  int y = kTitle;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    draw_row(image, rows[i], slicers[i], options, y);
    y += static_cast<int>(height_of(rows[i], slicers[i], options));
  }
  return image;
}

}  // namespace strata::io
