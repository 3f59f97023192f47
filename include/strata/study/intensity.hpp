// SPDX-License-Identifier: Apache-2.0
//
// From a scan's own values (HU, or what an MR scanner writes) to [0, 1], and from there to the integers that a shard
// keeps. Linear between two values, clipped outside. Cost: one pass each; profiles fuse them with what comes next.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "strata/study/scan.hpp"
#include "strata/study/volume.hpp"

namespace strata::study {

// low maps to 0 and high to 1. A CT window of centre c and width w is {c − w/2, c + w/2}.
struct Window {
  double low = 0, high = 1;
  bool operator==(const Window&) const = default;
};
Volume windowed(const Volume& volume, const Window& window);  // in [0, 1]; padding becomes 0

// A stored scan is made of one window a channel.
struct WindowedScan {
  std::string name;
  std::vector<Window> channels;
  bool operator==(const WindowedScan&) const = default;
};

// Step: every entry becomes a scan of its own ("brain", "subdural"); all have equally many channels.
struct Windows {
  std::vector<WindowedScan> scans;
  bool operator==(const Windows&) const = default;
};

// Step: the window between two percentiles of the measured voxels, in one scan of one channel named "percentiles".
struct Percentiles {
  double low = 0.5, high = 99.5;
  bool operator==(const Percentiles&) const = default;
};
// The window, with numpy.percentile's definition (linear between the two nearest ranks), exact for any values. A volume
// of one value, or without measured voxels, has the window {v, v + 1}: it is stored as 0.
Window percentile_window(const Volume& volume, const Percentiles& step = {});

// [0, 1] -> ⌊x·levels + 1/2⌋ with 255 levels for u8 and 32 767 for i16; values outside are clipped.
std::int64_t levels_of(DType dtype);  // another type: usage error
std::vector<std::byte> quantize(const Volume& unit, DType dtype);
// What a stored integer stands for under a window.
IntensityMap intensity_map(const Window& window, DType dtype);

}  // namespace strata::study
