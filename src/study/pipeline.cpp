// SPDX-License-Identifier: Apache-2.0
#include "study/pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"
#include "study/execute.hpp"
#include "study/foreground.hpp"
#include "study/spline.hpp"

namespace strata::study {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

bool any_padding(const Plan& plan) { return std::ranges::any_of(plan.maps, has_padding); }

float scale_of(const Window& window) { return static_cast<float>(1.0 / (window.high - window.low)); }

float lowest(const std::vector<WindowedScan>& scans) {
  double low = scans.front().channels.front().low;
  for (const WindowedScan& scan : scans)
    for (const Window& window : scan.channels) low = std::min(low, window.low);
  return static_cast<float>(low);
}

std::vector<StoredScan> empty_scans(const std::vector<WindowedScan>& windows, const Geometry& geometry, DType dtype) {
  std::vector<StoredScan> scans(windows.size());
  const auto bytes = at(voxel_count(geometry)) * size_of(dtype);
  for (std::size_t s = 0; s < scans.size(); ++s) {
    scans[s].voxels.resize(windows[s].channels.size() * bytes);
    scans[s].geometry = geometry;
    scans[s].window = windows[s].name;
    for (const Window& window : windows[s].channels) scans[s].intensity.push_back(intensity_map(window, dtype));
  }
  return scans;
}

}  // namespace

Pipeline::Pipeline(const Volume& source) : source_(&source) {
  check(source, "volume");
  plan_ = plan_for(source.geometry);
}

const Measured& Pipeline::measured() {
  if (!measured_) measured_ = measure(source_->voxels, source_->padding);
  return *measured_;
}

// Padding takes the smallest measured value. Where the plan itself adds padding, a value is taken off before and put
// back after, so that what is added comes out as that: the smallest measured value, or one that every window maps to 0.
ReadMap Pipeline::interpolating_read() {
  ReadMap read;
  read.has_padding = source_->padding.has_value();
  read.padding = source_->padding.value_or(0.0f);
  if (any_padding(plan_)) read.low = windows_.empty() ? measured().low : lowest(windows_);
  if (read.has_padding) read.fill = measured().low - read.low;
  return read;
}

void Pipeline::settle() {
  if (is_identity(plan_)) return;
  Volume result;
  result.geometry = plan_.geometry;
  result.voxels.resize(at(voxel_count(plan_.geometry)));
  if (is_selection(plan_)) {
    result.padding = source_->padding;
    if (!result.padding && any_padding(plan_)) result.padding = padding_below(measured());
    copy_selected(source_->voxels.data(), plan_, result.padding.value_or(0.0f), result.voxels.data());
  } else {
    const ReadMap read = interpolating_read();
    const Pass pass{read, {{.data = result.voxels.data(), .shift = read.low}}};
    execute(source_->voxels.data(), plan_, std::span(&pass, 1));
  }
  owned_ = std::move(result);
  source_ = &owned_;
  measured_.reset();
  plan_ = plan_for(owned_.geometry);
}

void Pipeline::before_interpolation() {
  if (windows_.empty() || on_read_) return;
  settle();
  on_read_ = true;
}

// A spline's coefficients move with their samples, so axes may still have to be permuted and flipped.
void Pipeline::to_coefficients(const std::array<bool, 3>& axes) {
  if (std::ranges::none_of(axes, [](bool axis) { return axis; })) return;
  STRATA_CHECK(windows_.empty(), usage, "profile", "a cubic filter after windows or percentiles",
               "resample before them, or use linear or area");
  if (!is_bijection(plan_)) settle();
  const ReadMap read = interpolating_read();
  if (source_ != &owned_) owned_ = *source_;
  source_ = &owned_;
  owned_.padding.reset();
  if (read.has_padding) std::ranges::replace(owned_.voxels, read.padding, read.fill);
  measured_.reset();
  std::array<bool, 3> source_axes{};
  for (std::size_t a = 0; a < 3; ++a) source_axes[static_cast<std::size_t>(plan_.axis[a])] = axes[a];
  spline_coefficients(owned_.voxels.data(), owned_.geometry.extents, source_axes);
}

void Pipeline::run(const Resize& step) {
  before_interpolation();
  to_coefficients(spline_axes(step, geometry()));
  add(plan_, step);
}

void Pipeline::run(const Spacing& step) {
  before_interpolation();
  to_coefficients(spline_axes(step, geometry()));
  add(plan_, step);
}

void Pipeline::run(const CropForeground& step) {
  STRATA_CHECK(windows_.empty(), usage, "profile", "crop_foreground after windows or percentiles", "crop before them");
  if (!is_bijection(plan_)) settle();
  const Box box = foreground(*source_, step.above);
  const Vec3 spacing = spacing_of(plan_.geometry);
  for (std::size_t a = 0; a < 3; ++a) {
    const auto s = static_cast<std::size_t>(plan_.axis[a]);
    const std::int64_t n = plan_.geometry.extents[a];
    const auto margin = static_cast<std::int64_t>(std::lround(step.margin[a] / spacing[a]));
    const std::int64_t begin = std::max<std::int64_t>(0, box.begin[s] - margin), end = std::min(n, box.end[s] + margin);
    const bool reversed = n > 1 && plan_.maps[a].first[0] != 0;
    if (end - begin != n) add_map(plan_, a, part_map(n, reversed ? n - end : begin, end - begin));
  }
}

void Pipeline::run(const Windows& step) {
  windows_ = step.scans;
  on_read_ = is_selection(plan_);
}

void Pipeline::run(const Percentiles& step) {
  if (!is_bijection(plan_)) settle();
  windows_ = {{"percentiles", {percentile_window(*source_, step)}}};
  on_read_ = true;
}

Volume Pipeline::volume() && {
  settle();
  if (source_ != &owned_) owned_ = *source_;
  return std::move(owned_);
}

std::vector<Pass> Pipeline::passes_on_read(std::vector<StoredScan>& scans, DType dtype) const {
  const auto bytes = at(voxel_count(plan_.geometry)) * size_of(dtype);
  std::vector<Pass> passes;
  for (std::size_t s = 0; s < scans.size(); ++s)
    for (std::size_t c = 0; c < windows_[s].channels.size(); ++c) {
      const Window& window = windows_[s].channels[c];
      const ReadMap read{static_cast<float>(window.low),
                         scale_of(window),
                         true,
                         source_->padding.has_value(),
                         source_->padding.value_or(0.0f),
                         0.0f};
      passes.push_back({read, {{.dtype = dtype, .data = scans[s].voxels.data() + c * bytes}}});
    }
  return passes;
}

std::vector<Pass> Pipeline::pass_on_write(std::vector<StoredScan>& scans, DType dtype) {
  const auto bytes = at(voxel_count(plan_.geometry)) * size_of(dtype);
  Pass pass{interpolating_read(), {}};
  for (std::size_t s = 0; s < scans.size(); ++s)
    for (std::size_t c = 0; c < windows_[s].channels.size(); ++c) {
      const Window& window = windows_[s].channels[c];
      pass.outputs.push_back({.dtype = dtype,
                              .data = scans[s].voxels.data() + c * bytes,
                              .low = static_cast<float>(window.low) - pass.read.low,
                              .scale = scale_of(window)});
    }
  return {pass};
}

std::vector<StoredScan> Pipeline::stored(DType dtype) {
  STRATA_CHECK(!windows_.empty(), usage, "profile", "no step maps intensities", "add windows or percentiles");
  std::vector<StoredScan> scans = empty_scans(windows_, plan_.geometry, dtype);
  const std::vector<Pass> passes = on_read_ ? passes_on_read(scans, dtype) : pass_on_write(scans, dtype);
  execute(source_->voxels.data(), plan_, passes);
  return scans;
}

}  // namespace strata::study
