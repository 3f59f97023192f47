// SPDX-License-Identifier: Apache-2.0
#include "study/axis_map.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "strata/base/error.hpp"

namespace strata::study {
namespace {

constexpr double kSplinePole = -0.26794919243112270647;  // sqrt(3) − 2

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

AxisMap empty_map(std::int64_t in, double start, double stride) {
  AxisMap map;
  map.in = in;
  map.begin = {0};
  map.start = start;
  map.stride = stride;
  return map;
}

void add_row(AxisMap& map, std::int64_t first, std::initializer_list<double> weights) {
  map.first.push_back(first);
  map.weights.insert(map.weights.end(), weights);
  map.begin.push_back(static_cast<std::int64_t>(map.weights.size()));
}

// Weights of the coefficients from..from + 3. One step outside, where samples repeat the edge, coefficients approach it
// by the spline's pole: c(−1) = c(0) + z·(c(0) − c(1)), and likewise at the end.
void add_spline_row(AxisMap& map, std::int64_t from, const std::array<double, 4>& weights) {
  const std::int64_t last = map.in - 1, low = std::max<std::int64_t>(0, from), high = std::min(last, from + 3);
  std::vector<double> row(at(high - low + 1), 0.0);
  const auto add = [&](std::int64_t index, double weight) { row[at(index - low)] += weight; };
  for (std::int64_t k = 0; k < 4; ++k) {
    const std::int64_t index = from + k, edge = std::clamp<std::int64_t>(index, 0, last);
    if (index == edge) {
      add(index, weights[at(k)]);
    } else if (weights[at(k)] != 0.0) {
      STRATA_DCHECK(index == -1 || index == map.in);
      add(edge, weights[at(k)] * (1 + kSplinePole));
      add(edge == 0 ? 1 : last - 1, -weights[at(k)] * kSplinePole);
    }
  }
  map.first.push_back(low);
  map.weights.insert(map.weights.end(), row.begin(), row.end());
  map.begin.push_back(static_cast<std::int64_t>(map.weights.size()));
}

void add_linear_row(AxisMap& map, double x) {
  const auto below = std::min(static_cast<std::int64_t>(x), map.in - 1);
  const double fraction = x - static_cast<double>(below);
  if (fraction == 0.0 || below == map.in - 1)
    add_row(map, below, {1.0});
  else
    add_row(map, below, {1.0 - fraction, fraction});
}

void add_cubic_row(AxisMap& map, double x) {
  if (map.in == 1) return add_row(map, 0, {1.0});
  const double below = std::floor(x), t = x - below, u = 1 - t;
  add_spline_row(map, static_cast<std::int64_t>(below) - 1,
                 {u * u * u / 6, 2.0 / 3 - t * t * (2 - t) / 2, 2.0 / 3 - u * u * (2 - u) / 2, t * t * t / 6});
}

AxisMap area_map(std::int64_t n, std::int64_t count) {
  const double stride = static_cast<double>(n) / static_cast<double>(count);
  AxisMap map = empty_map(n, stride / 2 - 0.5, stride);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t first = i * n / count, last = ((i + 1) * n + count - 1) / count;
    map.first.push_back(first);
    map.weights.insert(map.weights.end(), at(last - first), 1.0 / static_cast<double>(last - first));
    map.begin.push_back(static_cast<std::int64_t>(map.weights.size()));
  }
  return map;
}

// In f32, as torch has it: where a position falls on the border of two voxels, its rounding decides.
AxisMap nearest_map(std::int64_t n, std::int64_t count) {
  const double stride = static_cast<double>(n) / static_cast<double>(count);
  const float scale = static_cast<float>(n) / static_cast<float>(count);
  AxisMap map = empty_map(n, stride / 2 - 0.5, stride);
  for (std::int64_t i = 0; i < count; ++i)
    add_row(map, std::min(static_cast<std::int64_t>((static_cast<float>(i) + 0.5f) * scale), n - 1), {1.0});
  return map;
}

}  // namespace

AxisMap identity_map(std::int64_t n) { return part_map(n, 0, n); }

AxisMap reversed_map(std::int64_t n) {
  AxisMap map = empty_map(n, static_cast<double>(n - 1), -1);
  for (std::int64_t i = n - 1; i >= 0; --i) add_row(map, i, {1.0});
  return map;
}

AxisMap part_map(std::int64_t n, std::int64_t from, std::int64_t count) {
  AxisMap map = empty_map(n, static_cast<double>(from), 1);
  for (std::int64_t i = from; i < from + count; ++i)
    if (i < 0 || i >= n)
      add_row(map, 0, {});
    else
      add_row(map, i, {1.0});
  return map;
}

AxisMap sample_map(Filter filter, std::int64_t n, double start, double stride, std::int64_t count) {
  STRATA_DCHECK(n > 0 && filter != Filter::area);
  AxisMap map = empty_map(n, start, stride);
  for (std::int64_t i = 0; i < count; ++i) {
    const double x = std::clamp(start + static_cast<double>(i) * stride, 0.0, static_cast<double>(n - 1));
    switch (filter) {
      case Filter::nearest: add_row(map, std::min(static_cast<std::int64_t>(x + 0.5), n - 1), {1.0}); break;
      case Filter::cubic: add_cubic_row(map, x); break;
      default: add_linear_row(map, x);
    }
  }
  return map;
}

AxisMap resize_map(Filter filter, std::int64_t n, std::int64_t count) {
  if (filter == Filter::area) return area_map(n, count);
  if (filter == Filter::nearest) return nearest_map(n, count);
  const double stride = static_cast<double>(n) / static_cast<double>(count);
  return sample_map(filter, n, stride / 2 - 0.5, stride, count);
}

AxisMap compose(const AxisMap& outer, const AxisMap& inner) {
  STRATA_DCHECK(outer.in == inner.out());
  AxisMap map = empty_map(inner.in, inner.start + outer.start * inner.stride, outer.stride * inner.stride);
  std::vector<double> row;
  for (std::int64_t i = 0; i < outer.out(); ++i) {
    std::int64_t low = inner.in, high = 0;
    for (std::int64_t k = 0; k < outer.taps(i); ++k) {
      const std::int64_t middle = outer.first[at(i)] + k;
      if (inner.taps(middle) == 0) continue;
      low = std::min(low, inner.first[at(middle)]);
      high = std::max(high, inner.first[at(middle)] + inner.taps(middle));
    }
    row.assign(at(std::max<std::int64_t>(0, high - low)), 0.0);
    for (std::int64_t k = 0; k < outer.taps(i); ++k) {
      const std::int64_t middle = outer.first[at(i)] + k;
      const double weight = outer.weights[at(outer.begin[at(i)] + k)];
      for (std::int64_t j = 0; j < inner.taps(middle); ++j)
        row[at(inner.first[at(middle)] + j - low)] += weight * inner.weights[at(inner.begin[at(middle)] + j)];
    }
    map.first.push_back(row.empty() ? 0 : low);
    map.weights.insert(map.weights.end(), row.begin(), row.end());
    map.begin.push_back(static_cast<std::int64_t>(map.weights.size()));
  }
  return map;
}

bool is_selection(const AxisMap& map) {
  for (std::int64_t i = 0; i < map.out(); ++i)
    if (map.taps(i) > 1 || (map.taps(i) == 1 && map.weights[at(map.begin[at(i)])] != 1.0)) return false;
  return true;
}

bool is_identity(const AxisMap& map) {
  if (map.out() != map.in || !is_selection(map)) return false;
  for (std::int64_t i = 0; i < map.out(); ++i)
    if (map.taps(i) != 1 || map.first[at(i)] != i) return false;
  return true;
}

bool is_bijection(const AxisMap& map) {
  if (map.out() != map.in || !is_selection(map)) return false;
  std::vector<bool> seen(at(map.in), false);
  for (std::int64_t i = 0; i < map.out(); ++i) {
    if (map.taps(i) != 1 || seen[at(map.first[at(i)])]) return false;
    seen[at(map.first[at(i)])] = true;
  }
  return true;
}

bool has_padding(const AxisMap& map) {
  for (std::int64_t i = 0; i < map.out(); ++i) {
    const auto begin = map.weights.begin() + map.begin[at(i)], end = map.weights.begin() + map.begin[at(i) + 1];
    if (std::abs(std::accumulate(begin, end, 0.0) - 1.0) > 1e-9) return true;
  }
  return false;
}

PackedMap pack(const AxisMap& map) {
  PackedMap packed;
  packed.in = map.in;
  packed.out = map.out();
  for (std::int64_t i = 0; i < map.out(); ++i) packed.taps = std::max(packed.taps, map.taps(i));
  packed.identity = is_identity(map);
  packed.selection = packed.taps == 1 && is_selection(map) && !has_padding(map);
  packed.weights.assign(at(packed.taps * packed.out), 0.0f);
  packed.low = map.in;
  for (std::int64_t i = 0; i < map.out(); ++i) {
    const std::int64_t first = std::min(map.first[at(i)], map.in - packed.taps);  // every row reads `taps` samples
    const std::int64_t offset = map.first[at(i)] - first;
    packed.first.push_back(static_cast<std::int32_t>(first));
    for (std::int64_t k = 0; k < map.taps(i); ++k)
      packed.weights[at((offset + k) * packed.out + i)] = static_cast<float>(map.weights[at(map.begin[at(i)] + k)]);
    packed.low = std::min(packed.low, first);
    packed.high = std::max(packed.high, first + packed.taps);
  }
  return packed;
}

}  // namespace strata::study
