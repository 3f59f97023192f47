// SPDX-License-Identifier: Apache-2.0
#include "study/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"
#include "study/orientation.hpp"

namespace strata::study {
namespace {

constexpr std::int64_t kMaxExtent = 1 << 15;  // of an axis after resampling: far above any scanner, far below overflow

void check_fits(const Extents3& extents, std::string_view subject) {
  double voxels = 1;
  for (const std::int64_t extent : extents) voxels *= static_cast<double>(extent);
  const bool fits = voxels < 4e9 && std::ranges::all_of(extents, [](auto e) { return e <= kMaxExtent; });
  STRATA_CHECK(fits, data, subject,
               fmt::format("would make a volume of {}×{}×{} voxels", extents[0], extents[1], extents[2]),
               "is the spacing in the file right?");
}

void resample_axis(Plan& plan, std::size_t axis, Filter filter, std::int64_t count, std::string_view subject) {
  Extents3 wanted = plan.geometry.extents;
  wanted[axis] = count;
  check_fits(wanted, subject);
  add_map(plan, axis, resize_map(filter, plan.geometry.extents[axis], count));
}

// One voxel has no neighbour to interpolate with, and an axis that keeps its extent keeps its samples.
bool needs_spline(Filter filter, std::int64_t n, std::int64_t count) {
  return filter == Filter::cubic && n > 1 && count != 0 && count != n;
}

bool keeps_samples(std::int64_t n, double spacing, double target, Align align) {
  return target == 0 || (spacing_extent(n, spacing, target, align) == n &&
                         (align == Align::edges || std::abs(spacing / target - 1) * static_cast<double>(n) < 1e-6));
}

}  // namespace

std::int64_t spacing_extent(std::int64_t n, double spacing, double target, Align align) {
  const double samples = static_cast<double>(n), ratio = spacing / target;
  const double wanted =
      align == Align::edges ? std::floor(samples * ratio + 1e-6) : std::nearbyint((samples - 1) * ratio + 1);
  return static_cast<std::int64_t>(std::clamp(wanted, 1.0, 2.0 * kMaxExtent));
}

Plan plan_for(const Geometry& source) {
  Plan plan;
  plan.source = source.extents;
  for (std::size_t a = 0; a < 3; ++a) plan.maps[a] = identity_map(source.extents[a]);
  plan.geometry = source;
  return plan;
}

void add_map(Plan& plan, std::size_t axis, const AxisMap& map) {
  Vec3& step = plan.geometry.steps[axis];
  for (std::size_t r = 0; r < 3; ++r) {
    plan.geometry.origin[r] += map.start * step[r];
    step[r] *= map.stride;
  }
  plan.geometry.extents[axis] = map.out();
  plan.maps[axis] = compose(map, plan.maps[axis]);
}

void permute(Plan& plan, const std::array<int, 3>& order) {
  const Plan before = plan;
  for (std::size_t a = 0; a < 3; ++a) {
    const auto old = static_cast<std::size_t>(order[a]);
    plan.axis[a] = before.axis[old];
    plan.maps[a] = before.maps[old];
    plan.geometry.extents[a] = before.geometry.extents[old];
    plan.geometry.steps[a] = before.geometry.steps[old];
  }
}

void add(Plan& plan, const Orient& step) {
  const auto wanted = parse_axes(step.axes), found = nearest_directions(plan.geometry);
  std::array<int, 3> order{};
  for (std::size_t a = 0; a < 3; ++a)
    for (std::size_t b = 0; b < 3; ++b)
      if (found[b].world == wanted[a].world) order[a] = static_cast<int>(b);
  for (std::size_t a = 0; a < 3; ++a) {
    const auto b = static_cast<std::size_t>(order[a]);
    if (found[b].sign != wanted[a].sign) add_map(plan, b, reversed_map(plan.geometry.extents[b]));
  }
  permute(plan, order);
}

void add(Plan& plan, const OwnPlane& step) {
  add(plan, Orient{step.axes});
  const Vec3 spacing = spacing_of(plan.geometry);
  std::size_t widest = 0;
  for (std::size_t a = 1; a < 3; ++a)
    if (spacing[a] > spacing[widest] * 1.001) widest = a;
  if (widest == 1) permute(plan, {1, 0, 2});
  if (widest == 2) permute(plan, {2, 0, 1});
}

void add(Plan& plan, const Resize& step) {
  for (std::size_t a = 0; a < 3; ++a) {
    STRATA_CHECK(step.extents[a] >= 0, usage, "resize", fmt::format("an extent of {} voxels", step.extents[a]));
    if (step.extents[a] != 0 && step.extents[a] != plan.geometry.extents[a])
      resample_axis(plan, a, step.filters[a], step.extents[a], "resize");
  }
}

void add(Plan& plan, const Spacing& step) {
  const Vec3 spacing = spacing_of(plan.geometry);
  for (std::size_t a = 0; a < 3; ++a) {
    STRATA_CHECK(step.mm[a] >= 0 && std::isfinite(step.mm[a]), usage, "spacing",
                 fmt::format("a spacing of {} mm", step.mm[a]), "0 keeps an axis");
    const std::int64_t n = plan.geometry.extents[a];
    if (keeps_samples(n, spacing[a], step.mm[a], step.align)) continue;
    const std::int64_t count = spacing_extent(n, spacing[a], step.mm[a], step.align);
    if (step.align == Align::edges) {
      resample_axis(plan, a, step.filters[a], count, "spacing");
      continue;
    }
    STRATA_CHECK(step.filters[a] != Filter::area, usage, "spacing", "area needs whole fields of view",
                 "align: edges, or another filter");
    Extents3 wanted = plan.geometry.extents;
    wanted[a] = count;
    check_fits(wanted, "spacing");
    add_map(plan, a, sample_map(step.filters[a], n, 0, step.mm[a] / spacing[a], count));
  }
}

void add(Plan& plan, const PadSquare&) {
  const auto& extents = plan.geometry.extents;
  const std::int64_t side = std::max(extents[1], extents[2]);
  add(plan, Pad{{0, side, side}});
}

void add(Plan& plan, const Pad& step) {
  Extents3 wanted = plan.geometry.extents;
  for (std::size_t a = 0; a < 3; ++a) wanted[a] = std::max(wanted[a], step.extents[a]);
  check_fits(wanted, "pad");
  for (std::size_t a = 0; a < 3; ++a) {
    const std::int64_t n = plan.geometry.extents[a];
    if (wanted[a] > n) add_map(plan, a, part_map(n, -((wanted[a] - n) / 2), wanted[a]));
  }
}

void add(Plan& plan, const Crop& step) {
  for (std::size_t a = 0; a < 3; ++a) {
    const std::int64_t n = plan.geometry.extents[a], wanted = step.extents[a];
    if (wanted != 0 && wanted < n) add_map(plan, a, part_map(n, (n - wanted) / 2, wanted));
  }
}

std::array<bool, 3> spline_axes(const Resize& step, const Geometry& geometry) {
  std::array<bool, 3> axes{};
  for (std::size_t a = 0; a < 3; ++a) axes[a] = needs_spline(step.filters[a], geometry.extents[a], step.extents[a]);
  return axes;
}

std::array<bool, 3> spline_axes(const Spacing& step, const Geometry& geometry) {
  const Vec3 spacing = spacing_of(geometry);
  std::array<bool, 3> axes{};
  for (std::size_t a = 0; a < 3; ++a)
    axes[a] = step.filters[a] == Filter::cubic && geometry.extents[a] > 1 &&
              !keeps_samples(geometry.extents[a], spacing[a], step.mm[a], step.align);
  return axes;
}

bool is_bijection(const Plan& plan) {
  return std::ranges::all_of(plan.maps, [](const AxisMap& map) { return is_bijection(map); });
}
bool is_selection(const Plan& plan) {
  return std::ranges::all_of(plan.maps, [](const AxisMap& map) { return is_selection(map); });
}
bool is_identity(const Plan& plan) {
  return plan.axis == std::array{0, 1, 2} &&
         std::ranges::all_of(plan.maps, [](const AxisMap& map) { return is_identity(map); });
}

}  // namespace strata::study
