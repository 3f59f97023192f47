// SPDX-License-Identifier: Apache-2.0
#include "strata/study/intensity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

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

// Calls visit(key) for every measured voxel.
template <class Visit>
void each_key(const Volume& volume, const Visit& visit) {
  const bool has_padding = volume.padding.has_value();
  const float padding = volume.padding.value_or(0.0f);
  for (const float x : volume.voxels) {
    if (!(std::abs(x) <= std::numeric_limits<float>::max()) || (has_padding && x == padding)) continue;
    visit(order_key(x));
  }
}

struct Place {
  std::size_t bin = 0;
  std::int64_t rank = 0;  // within the bin
};

Place find_rank(const Histogram& histogram, std::int64_t rank) {
  std::size_t bin = 0;
  for (; bin + 1 < histogram.size() && rank >= histogram[bin]; ++bin) rank -= histogram[bin];
  return {bin, rank};
}

// Values of given ranks among the sorted measured voxels, exactly: by the upper 16 bits of all, then by the lower 16
// bits of those that share the upper ones with an answer. Two passes, no sorting.
template <std::size_t kCount>
std::array<float, kCount> values_at_ranks(const Volume& volume, const std::array<std::int64_t, kCount>& ranks) {
  Histogram upper(kBins, 0);
  each_key(volume, [&](std::uint32_t key) { ++upper[key >> 16]; });
  std::array<Place, kCount> places;
  std::vector<std::uint8_t> slot_of(kBins, 0);
  std::vector<Histogram> lower(1);  // slot 0 takes what is asked for by nobody
  lower[0].resize(kBins);
  for (std::size_t i = 0; i < kCount; ++i) {
    places[i] = find_rank(upper, ranks[i]);
    if (slot_of[places[i].bin] != 0) continue;
    slot_of[places[i].bin] = static_cast<std::uint8_t>(lower.size());
    lower.emplace_back(kBins, 0u);
  }
  each_key(volume, [&](std::uint32_t key) {
    if (const auto slot = slot_of[key >> 16]; slot != 0) ++lower[slot][key & 0xffffu];
  });
  std::array<float, kCount> values{};
  for (std::size_t i = 0; i < kCount; ++i) {
    const std::size_t low = find_rank(lower[slot_of[places[i].bin]], places[i].rank).bin;
    values[i] = value_of(static_cast<std::uint32_t>(places[i].bin << 16 | low));
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
  const auto v = values_at_ranks<4>(volume, {low.below, low.above, high.below, high.above});
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
