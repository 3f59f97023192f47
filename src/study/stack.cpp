// SPDX-License-Identifier: Apache-2.0
//
// From slices as they were scanned to a regular grid with orthogonal steps.
#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"
#include "strata/study/geometry.hpp"
#include "study/measure.hpp"
#include "study/simd/rows.hpp"

namespace strata::study {
namespace {

constexpr double kUneven = 0.05;          // of the mean gap
constexpr double kDrift = 0.1;            // pixels
constexpr std::int64_t kMostAdded = 8;    // slices made of each slice there is
constexpr double kMostWidened = 4;        // times the rows or columns there were
constexpr double kSingleSliceStep = 1.0;  // mm

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }
Eigen::Vector3d eigen(const Vec3& v) { return {v[0], v[1], v[2]}; }
Vec3 vec3(const Eigen::Vector3d& v) { return {v[0], v[1], v[2]}; }

// Slices by their place along the normal and their shift in the plane, both from the first slice.
struct Places {
  Eigen::Vector3d normal;
  std::vector<double> along;          // mm
  std::vector<double> rows, columns;  // pixels
};

Places places_of(const SliceStack& stack, const Eigen::Vector3d& normal) {
  Eigen::Matrix<double, 3, 2> plane;
  plane << eigen(stack.step_h), eigen(stack.step_w);
  const auto solver = plane.colPivHouseholderQr();
  Places places{normal, {}, {}, {}};
  for (const Vec3& origin : stack.origins) {
    const Eigen::Vector3d from_first = eigen(origin) - eigen(stack.origins[0]);
    places.along.push_back(from_first.dot(normal));
    const Eigen::Vector2d shift = solver.solve(from_first - places.along.back() * normal);
    places.rows.push_back(shift[0]);
    places.columns.push_back(shift[1]);
  }
  return places;
}

void check_stack(const SliceStack& stack) {
  STRATA_CHECK(stack.slices() > 0 && stack.height > 0 && stack.width > 0, data, "stack",
               fmt::format("{} slices of {}×{} pixels", stack.slices(), stack.height, stack.width));
  STRATA_CHECK(static_cast<std::int64_t>(stack.voxels.size()) == stack.slices() * stack.height * stack.width, data,
               "stack",
               fmt::format("{} values for {} slices of {}×{} pixels", stack.voxels.size(), stack.slices(), stack.height,
                           stack.width));
  const Eigen::Vector3d h = eigen(stack.step_h), w = eigen(stack.step_w);
  const bool finite = h.allFinite() && w.allFinite() &&
                      std::ranges::all_of(stack.origins, [](const Vec3& origin) { return eigen(origin).allFinite(); });
  STRATA_CHECK(finite && std::abs(h.dot(w)) <= 1e-3 * h.norm() * w.norm() && h.norm() > 0 && w.norm() > 0, data,
               "stack", "rows and columns of the slices do not stand at a right angle, or positions are not finite");
}

std::vector<double> gaps_of(const std::vector<double>& along) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < along.size(); ++i) {
    gaps.push_back(along[i] - along[i - 1]);
    STRATA_CHECK(gaps.back() > 1e-3, data, "stack",
                 fmt::format("slices {} and {} lie {:.4f} mm apart", i - 1, i, gaps.back()),
                 "slices at one position are no volume: sort them along the normal and separate echoes or time points");
  }
  return gaps;
}

double lower_median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// A neighbourhood and not the whole stack, because scanners change the gap on purpose (skull base, vertex).
std::int64_t count_missing(const std::vector<double>& gaps) {
  std::int64_t missing = 0;
  const auto n = static_cast<std::ptrdiff_t>(gaps.size());
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const auto from = gaps.begin() + std::max<std::ptrdiff_t>(0, i - 2);
    const auto to = gaps.begin() + std::min(n, i + 3);
    const double promised = lower_median({from, to});
    missing += std::max<std::int64_t>(0, static_cast<std::int64_t>(std::nearbyint(gaps[at(i)] / promised)) - 1);
  }
  return missing;
}

bool is_even(const std::vector<double>& along) {
  const double step = along.back() / static_cast<double>(along.size() - 1);
  for (std::size_t i = 0; i < along.size(); ++i)
    if (std::abs(along[i] - static_cast<double>(i) * step) > kUneven * step) return false;
  return true;
}

double range_of(const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax_element(values);
  return *high - *low;
}

// Where the result's slices lie along the normal.
struct EvenGrid {
  std::int64_t slices = 1;
  double step = kSingleSliceStep;
};

EvenGrid even_grid(const std::vector<double>& along, const std::vector<double>& gaps, bool even) {
  if (gaps.empty()) return {};
  const auto slices = static_cast<std::int64_t>(along.size());
  if (even) return {slices, along.back() / static_cast<double>(slices - 1)};
  const double step = lower_median(gaps);
  const double count = std::nearbyint(along.back() / step) + 1;
  STRATA_CHECK(count <= static_cast<double>(kMostAdded * slices), data, "stack",
               fmt::format("{} slices over {:.1f} mm with a median gap of {:.3f} mm are no even volume", slices,
                           along.back(), step),
               "the series may hold several stacks");
  return {static_cast<std::int64_t>(count), step};
}

// In-plane shifts: pixel [h, w] of the result lies `top` rows and `left` columns from where the first slice's would.
struct Frame {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
};

Frame frame_of(const SliceStack& stack, const Places& places) {
  const auto side = [](const std::vector<double>& shifts, std::int64_t size, std::int64_t& first,
                       std::int64_t& extent) {
    const auto [low, high] = std::ranges::minmax_element(shifts);
    first = static_cast<std::int64_t>(std::floor(*low + 1e-6));
    extent = size + static_cast<std::int64_t>(std::ceil(*high - 1e-6)) - first;
    STRATA_CHECK(static_cast<double>(extent) <= kMostWidened * static_cast<double>(size), data, "stack",
                 fmt::format("slices drift in their plane by {:.0f} pixels of {}", *high - *low, size),
                 "the series may hold several stacks");
  };
  Frame frame;
  side(places.rows, stack.height, frame.top, frame.height);
  side(places.columns, stack.width, frame.left, frame.width);
  return frame;
}

class Regridder {
 public:
  Regridder(const SliceStack& stack, Places places, bool shift, float padding)
      : stack_(stack), places_(std::move(places)), shift_(shift), padding_(padding) {
    frame_ = shift ? frame_of(stack, places_) : Frame{0, 0, stack.height, stack.width};
    row_.resize(at(std::max(frame_.width, stack.width)));
  }

  Volume volume(const EvenGrid& grid) {
    Volume result;
    const Eigen::Vector3d h = eigen(stack_.step_h), w = eigen(stack_.step_w);
    result.geometry.extents = {grid.slices, frame_.height, frame_.width};
    result.geometry.origin =
        vec3(eigen(stack_.origins[0]) + static_cast<double>(frame_.top) * h + static_cast<double>(frame_.left) * w);
    result.geometry.steps = {vec3(grid.step * places_.normal), stack_.step_h, stack_.step_w};
    result.voxels.resize(at(voxel_count(result.geometry)));
    const bool even = static_cast<std::int64_t>(places_.along.size()) == grid.slices && is_even(places_.along);
    for (std::int64_t d = 0; d < grid.slices; ++d) {
      float* out = result.voxels.data() + d * frame_.height * frame_.width;
      if (even || places_.along.size() == 1)
        shifted_slice(d, out);
      else
        slice_at(static_cast<double>(d) * grid.step, out);
    }
    return result;
  }

 private:
  void slice_at(double position, float* out) {
    const auto& along = places_.along;
    const auto above = std::ranges::upper_bound(along, position);
    const auto below = std::max<std::int64_t>(0, above - along.begin() - 1);
    const std::int64_t pixels = frame_.height * frame_.width;
    if (above == along.end() || position - along[at(below)] < 1e-9) return shifted_slice(below, out);
    const double fraction = (position - along[at(below)]) / (*above - along[at(below)]);
    // The grid runs upwards, so what was the upper slice is often the lower one next.
    const std::vector<float>&first = kept(below), &second = kept(below + 1);
    row_kernels().blend(first.data(), second.data(), static_cast<float>(fraction), padding_, out, pixels);
  }

  const std::vector<float>& kept(std::int64_t slice) {
    auto& slot = kept_[at(slice % 2)];
    if (slot.slice != slice) {
      slot.slice = slice;
      slot.pixels.resize(at(frame_.height * frame_.width));
      shifted_slice(slice, slot.pixels.data());
    }
    return slot.pixels;
  }

  // A slice of the stack as the frame sees it.
  void shifted_slice(std::int64_t d, float* out) {
    const float* slice = stack_.voxels.data() + d * stack_.height * stack_.width;
    if (!shift_) {
      std::copy_n(slice, stack_.height * stack_.width, out);
      return;
    }
    const double row_shift = static_cast<double>(frame_.top) - places_.rows[at(d)];
    const double column_shift = static_cast<double>(frame_.left) - places_.columns[at(d)];
    for (std::int64_t h = 0; h < frame_.height; ++h, out += frame_.width) {
      if (!row_at(slice, static_cast<double>(h) + row_shift))
        std::fill_n(out, frame_.width, padding_);
      else
        shift_row(column_shift, out);
    }
  }

  // Row `place` of a slice into row_; false where no row is near enough.
  bool row_at(const float* slice, double place) {
    const auto below = static_cast<std::int64_t>(std::floor(place + 1e-6));
    const double fraction = std::max(0.0, place - static_cast<double>(below));
    const bool has_below = below >= 0 && below < stack_.height, has_above = below + 1 >= 0 && below + 1 < stack_.height;
    const auto row = [&](std::int64_t h) { return slice + h * stack_.width; };
    if (has_below && has_above && fraction > 1e-6) {
      row_kernels().blend(row(below), row(below + 1), static_cast<float>(fraction), padding_, row_.data(),
                          stack_.width);
      return true;
    }
    const std::int64_t nearest = fraction < 0.5 ? below : below + 1;
    if (nearest < 0 || nearest >= stack_.height) return false;
    std::copy_n(row(nearest), stack_.width, row_.data());
    return true;
  }

  // out[w] = row_ at w + shift.
  void shift_row(double shift, float* out) const {
    const auto whole = static_cast<std::int64_t>(std::floor(shift + 1e-6));
    const double fraction = std::max(0.0, shift - static_cast<double>(whole));
    const auto inside = [&](std::int64_t w) { return std::clamp<std::int64_t>(w, 0, frame_.width); };
    std::fill_n(out, frame_.width, padding_);
    if (fraction <= 1e-6) {
      const std::int64_t from = inside(-whole), to = inside(stack_.width - whole);
      std::copy_n(row_.data() + from + whole, std::max<std::int64_t>(0, to - from), out + from);
      return;
    }
    const std::int64_t from = inside(-whole), to = inside(stack_.width - 1 - whole);
    if (to > from)
      row_kernels().blend(row_.data() + from + whole, row_.data() + from + whole + 1, static_cast<float>(fraction),
                          padding_, out + from, to - from);
    if (fraction >= 0.5 && from > 0) out[from - 1] = row_[0];
    if (fraction < 0.5 && to < frame_.width) out[to] = row_[at(stack_.width - 1)];
  }

  struct Kept {
    std::int64_t slice = -1;
    std::vector<float> pixels;
  };
  const SliceStack& stack_;
  Places places_;
  bool shift_;
  float padding_;
  Frame frame_;
  std::vector<float> row_;
  std::array<Kept, 2> kept_;
};

Volume as_it_is(SliceStack&& stack, const Places& places) {
  Volume volume;
  const std::int64_t last = stack.slices() - 1;
  const Eigen::Vector3d step =
      last == 0 ? Eigen::Vector3d(kSingleSliceStep * places.normal)
                : Eigen::Vector3d((eigen(stack.origins.back()) - eigen(stack.origins[0])) / static_cast<double>(last));
  volume.geometry = {
      {stack.slices(), stack.height, stack.width}, stack.origins[0], {vec3(step), stack.step_h, stack.step_w}};
  volume.padding = stack.padding;
  volume.voxels = std::move(stack.voxels);
  return volume;
}

StackedVolume stacked(SliceStack&& stack, const Eigen::Vector3d& normal) {
  Places places = places_of(stack, normal);
  const std::vector<double> gaps = gaps_of(places.along);
  StackedVolume result;
  result.source_slices = stack.slices();
  result.missing_slices = count_missing(gaps);
  result.regridded = !gaps.empty() && !is_even(places.along);
  result.straightened = range_of(places.rows) > kDrift || range_of(places.columns) > kDrift;
  if (!result.regridded && !result.straightened) {
    result.volume = as_it_is(std::move(stack), places);
    return result;
  }
  std::optional<float> padding = stack.padding;
  if (!padding && result.straightened) padding = padding_below(measure(stack.voxels, {}));
  const EvenGrid grid = even_grid(places.along, gaps, !result.regridded);
  // NaN equals nothing: without padding no voxel is taken for it
  result.volume = Regridder(stack, std::move(places), result.straightened,
                            padding.value_or(std::numeric_limits<float>::quiet_NaN()))
                      .volume(grid);
  result.volume.padding = padding;
  return result;
}

}  // namespace

StackedVolume volume_of(SliceStack stack) {
  check_stack(stack);
  const Eigen::Vector3d normal = eigen(stack.step_w).cross(eigen(stack.step_h)).normalized();
  return stacked(std::move(stack), normal);
}

Volume straighten(Volume volume) {
  check(volume, "straighten");
  if (is_orthogonal(volume.geometry)) return volume;
  const Geometry& g = volume.geometry;
  SliceStack stack;
  stack.height = g.extents[1];
  stack.width = g.extents[2];
  stack.step_h = g.steps[1];
  stack.step_w = g.steps[2];
  for (std::int64_t d = 0; d < g.extents[0]; ++d)
    stack.origins.push_back(position_of(g, {static_cast<double>(d), 0, 0}));
  stack.padding = volume.padding;
  stack.voxels = std::move(volume.voxels);
  check_stack(stack);
  Eigen::Vector3d normal = eigen(g.steps[2]).cross(eigen(g.steps[1])).normalized();
  if (normal.dot(eigen(g.steps[0])) < 0) normal = -normal;  // the axes' handedness stays
  return stacked(std::move(stack), normal).volume;
}

}  // namespace strata::study
