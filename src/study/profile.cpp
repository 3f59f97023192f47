// SPDX-License-Identifier: Apache-2.0
#include "strata/study/profile.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "study/orientation.hpp"
#include "study/pipeline.hpp"
#include "study/profile_steps.hpp"

namespace strata::study {
namespace {

constexpr std::array<std::string_view, 10> kSteps{"orient",     "own_plane", "spacing", "resize",  "crop_foreground",
                                                  "pad_square", "pad",       "crop",    "windows", "percentiles"};

// What is known of an extent before any volume is seen.
struct Bounds {
  std::int64_t low = 1, high = 1 << 20;
};

class GridFinder {
 public:
  void operator()(const Orient& step) { orient(step.axes); }
  void operator()(const OwnPlane& step) { orient(step.axes); }
  void operator()(const Spacing& step) {
    for (std::size_t a = 0; a < 3; ++a) {
      if (step.mm[a] == 0) continue;
      extents_[a] = {};
      cubic_ = cubic_ || step.filters[a] == Filter::cubic;
    }
    check_order();
  }
  void operator()(const Resize& step) {
    for (std::size_t a = 0; a < 3; ++a) {
      if (step.extents[a] == 0) continue;
      extents_[a] = {step.extents[a], step.extents[a]};
      cubic_ = cubic_ || step.filters[a] == Filter::cubic;
    }
    check_order();
  }
  void operator()(const CropForeground&) {
    for (Bounds& extent : extents_) extent.low = 1;
    cubic_ = true;  // it looks at a scan's own values, as a cubic filter does
    check_order();
  }
  void operator()(const PadSquare&) {
    const Bounds h = extents_[1], w = extents_[2];
    extents_[1] = extents_[2] = {std::max(h.low, w.low), std::max(h.high, w.high)};
  }
  void operator()(const Pad& step) {
    for (std::size_t a = 0; a < 3; ++a) {
      extents_[a].low = std::max(extents_[a].low, step.extents[a]);
      extents_[a].high = std::max(extents_[a].high, step.extents[a]);
    }
  }
  void operator()(const Crop& step) {
    for (std::size_t a = 0; a < 3; ++a) {
      if (step.extents[a] == 0) continue;
      extents_[a].low = std::min(extents_[a].low, step.extents[a]);
      extents_[a].high = std::min(extents_[a].high, step.extents[a]);
    }
  }
  void operator()(const Windows& step) { intensity(static_cast<std::int64_t>(step.scans.front().channels.size())); }
  void operator()(const Percentiles&) { intensity(1); }

  StoredGrid grid(const Profile& profile) const {
    STRATA_CHECK(intensities_ == 1, usage, profile.name, fmt::format("{} steps map intensities", intensities_),
                 "give windows or percentiles, once");
    StoredGrid grid;
    grid.channels = channels_;
    grid.dtype = profile.voxels;
    for (std::size_t a = 0; a < 3; ++a) {
      STRATA_CHECK(extents_[a].low == extents_[a].high, usage, profile.name,
                   fmt::format("its steps leave the number of {} open", std::array{"slices", "rows", "columns"}[a]),
                   "end with resize, or with pad and crop, for all three axes");
      grid.extents[a] = extents_[a].low;
    }
    grid.value_scale = 1.0 / static_cast<double>(levels_of(profile.voxels));
    return grid;
  }

 private:
  void orient(const std::string& axes) {
    parse_axes(axes);
    Bounds all = extents_[0];
    for (const Bounds& extent : extents_) all = {std::min(all.low, extent.low), std::max(all.high, extent.high)};
    extents_ = {all, all, all};
  }
  void intensity(std::int64_t channels) {
    ++intensities_;
    channels_ = channels;
    cubic_ = false;
  }
  void check_order() const {
    STRATA_CHECK(intensities_ == 0 || !cubic_, usage, "profile",
                 "a cubic filter or crop_foreground after windows or percentiles", "put it before them");
  }

  std::array<Bounds, 3> extents_;
  std::int64_t channels_ = 1;
  int intensities_ = 0;
  bool cubic_ = false;
};

}  // namespace

std::string_view name_of(const Step& step) { return kSteps[step.index()]; }
std::span<const std::string_view> step_names() { return kSteps; }

StoredGrid grid_of(const Profile& profile) {
  GridFinder finder;
  for (const Step& step : profile.steps) std::visit(finder, step);
  return finder.grid(profile);
}

std::vector<StoredScan> apply(const Profile& profile, const StackedVolume& source, const ScanTags& tags) {
  std::vector<StoredScan> scans = apply(profile, source.volume, tags);
  for (StoredScan& scan : scans) {
    if (source.source_slices > 0) scan.source_slices = source.source_slices;
    scan.missing_slices = source.missing_slices;
  }
  return scans;
}

std::vector<StoredScan> apply(const Profile& profile, const Volume& volume, const ScanTags& tags) {
  const StoredGrid grid = grid_of(profile);
  Pipeline pipeline(volume);
  for (const Step& step : profile.steps) std::visit([&](const auto& s) { pipeline.run(s); }, step);
  STRATA_CHECK(pipeline.geometry().extents == grid.extents, internal, profile.name, "a volume missed its grid");
  std::vector<StoredScan> scans = pipeline.stored(profile.voxels);
  for (StoredScan& scan : scans) {
    scan.modality = tags.modality;
    scan.source_slices = volume.geometry.extents[0];
  }
  return scans;
}

}  // namespace strata::study
