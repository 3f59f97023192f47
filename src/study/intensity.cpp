// SPDX-License-Identifier: Apache-2.0
#include "strata/study/intensity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "strata/base/error.hpp"
#include "study/measure.hpp"
#include "study/simd/rows.hpp"

namespace strata::study {
namespace {

// Bits of a float as an integer that orders as the floats do.
std::uint32_t order_key(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
}
float value_of(std::uint32_t key) { return std::bit_cast<float>(key ^ ((key >> 31) != 0 ? 0x80000000u : 0xffffffffu)); }

constexpr std::size_t kBins = std::size_t{1} << 16;
using Histogram = std::vector<std::uint32_t>;

// Calls visit(key, lane) for every measured voxel; lanes alternate, for those who count in several places at once.
template <class Visit>
void each_key(const Volume& volume, const Measured& measured, const Visit& visit) {
  const std::size_t n = volume.voxels.size();
  if (measured.count == static_cast<std::int64_t>(n)) {
    for (std::size_t i = 0; i < n; ++i) visit(order_key(volume.voxels[i]), i % 4);
    return;
  }
  const bool has_padding = volume.padding.has_value();
  const float padding = volume.padding.value_or(0.0f);
  for (std::size_t i = 0; i < n; ++i) {
    const float x = volume.voxels[i];
    if (std::abs(x) <= std::numeric_limits<float>::max() && !(has_padding && x == padding)) visit(order_key(x), i % 4);
  }
}

// Neighbouring voxels often fall into one bin, and a processor waits for a count before it adds to it again: four
// histograms take turns.
Histogram upper_histogram(const Volume& volume, const Measured& measured) {
  Histogram lanes(4 * kBins, 0);
  each_key(volume, measured, [&](std::uint32_t key, std::size_t lane) { ++lanes[lane * kBins + (key >> 16)]; });
  for (std::size_t bin = 0; bin < kBins; ++bin)
    lanes[bin] += lanes[kBins + bin] + lanes[2 * kBins + bin] + lanes[3 * kBins + bin];
  lanes.resize(kBins);
  return lanes;
}

struct Place {
  std::size_t bin = 0;
  std::int64_t rank = 0;  // within the bin
};

Place find_rank(const std::uint32_t* histogram, std::size_t bins, std::int64_t rank) {
  std::size_t bin = 0;
  for (; bin + 1 < bins && rank >= histogram[bin]; ++bin) rank -= histogram[bin];
  return {bin, rank};
}

// Values of given ranks among the sorted measured voxels, exactly: by the upper 16 bits of all, then by the lower 16
// bits of those that share the upper ones with an answer. Two passes, no sorting.
template <std::size_t kCount>
std::array<float, kCount> values_at_ranks(const Volume& volume, const Measured& measured,
                                          const std::array<std::int64_t, kCount>& ranks) {
  const Histogram upper = upper_histogram(volume, measured);
  std::array<Place, kCount> places;
  std::vector<std::uint32_t> slot_of(kBins, 0);  // bins that nobody asks for share slot 0
  std::uint32_t slots = 1;
  for (std::size_t i = 0; i < kCount; ++i) {
    places[i] = find_rank(upper.data(), kBins, ranks[i]);
    if (slot_of[places[i].bin] == 0) slot_of[places[i].bin] = slots++;
  }
  Histogram lower(slots * kBins, 0);
  each_key(volume, measured, [&](std::uint32_t key, std::size_t) {
    if (const std::size_t slot = slot_of[key >> 16]; slot != 0) ++lower[slot * kBins + (key & 0xffffu)];
  });
  std::array<float, kCount> values{};
  for (std::size_t i = 0; i < kCount; ++i) {
    const Place place = find_rank(lower.data() + slot_of[places[i].bin] * kBins, kBins, places[i].rank);
    values[i] = value_of(static_cast<std::uint32_t>(places[i].bin << 16 | place.bin));
  }
  return values;
}

struct Rank {
  std::int64_t below = 0, above = 0;
  double fraction = 0;
};

Rank rank_of(double percentile, std::int64_t count) {
  const double place = percentile / 100 * static_cast<double>(count - 1);
  const auto below = std::min(static_cast<std::int64_t>(place), count - 1);
  return {below, std::min(below + 1, count - 1), place - static_cast<double>(below)};
}

double between(double a, double b, double t) { return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t; }

}  // namespace

Window percentile_window(const Volume& volume, const Percentiles& step) {
  STRATA_CHECK(step.low >= 0 && step.low < step.high && step.high <= 100, usage, "percentiles",
               fmt::format("from {} to {}", step.low, step.high), "0 ≤ low < high ≤ 100");
  const Measured measured = measure(volume.voxels, volume.padding);
  if (measured.count == 0) return {0, 1};
  const Rank low = rank_of(step.low, measured.count), high = rank_of(step.high, measured.count);
  const auto v = values_at_ranks<4>(volume, measured, {low.below, low.above, high.below, high.above});
  const Window window{between(static_cast<double>(v[0]), static_cast<double>(v[1]), low.fraction),
                      between(static_cast<double>(v[2]), static_cast<double>(v[3]), high.fraction)};
  return window.high > window.low ? window : Window{window.low, window.low + 1};
}

Volume windowed(const Volume& volume, const Window& window) {
  STRATA_CHECK(window.high > window.low, usage, "window", fmt::format("from {} to {}", window.low, window.high));
  Volume result;
  result.geometry = volume.geometry;
  result.voxels.resize(volume.voxels.size());
  const ReadMap map{static_cast<float>(window.low),
                    static_cast<float>(1 / (window.high - window.low)),
                    true,
                    volume.padding.has_value(),
                    volume.padding.value_or(0.0f),
                    0.0f};
  row_kernels().read(map, volume.voxels.data(), result.voxels.data(), static_cast<std::int64_t>(volume.voxels.size()));
  return result;
}

std::int64_t levels_of(DType dtype) {
  STRATA_CHECK(dtype == DType::u8 || dtype == DType::i16, usage, "voxels",
               fmt::format("cannot store voxels as {}", name_of(dtype)), "u8 or i16");
  return dtype == DType::u8 ? 255 : 32767;
}

std::vector<std::byte> quantize(const Volume& unit, DType dtype) {
  levels_of(dtype);
  const auto n = static_cast<std::int64_t>(unit.voxels.size());
  std::vector<std::byte> stored(unit.voxels.size() * size_of(dtype));
  void* out = stored.data();
  if (dtype == DType::u8)
    row_kernels().to_u8(unit.voxels.data(), static_cast<std::uint8_t*>(out), n, 0, 1);
  else
    row_kernels().to_i16(unit.voxels.data(), static_cast<std::int16_t*>(out), n, 0, 1);
  return stored;
}

IntensityMap intensity_map(const Window& window, DType dtype) {
  return {(window.high - window.low) / static_cast<double>(levels_of(dtype)), window.low};
}

}  // namespace strata::study
