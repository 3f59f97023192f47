// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "strata/base/error.hpp"
#include "strata/nn/tokens.hpp"

namespace strata::nn {
namespace {

// Writes sin and cos of position · 1/10000^(k / half) for k in [0, half). Published tables form the frequencies in
// single precision and the products likewise; their sines are then taken of the single-precision product.
void write_axis(double* to, std::int64_t half, std::int64_t position) {
  for (std::int64_t k = 0; k < half; ++k) {
    const float exponent = static_cast<float>(k) / static_cast<float>(half);
    const float omega = 1.0f / std::pow(10000.0f, exponent);
    const float angle = static_cast<float>(position) * omega;
    to[k] = std::sin(angle);
    to[half + k] = std::cos(angle);
  }
}

}  // namespace

std::vector<double> sincos_1d(std::int64_t width, std::int64_t count) {
  STRATA_CHECK(width % 2 == 0, usage, "position table", fmt::format("a width of {} is not even", width));
  std::vector<double> table(static_cast<std::size_t>(width * count));
  for (std::int64_t i = 0; i < count; ++i) write_axis(table.data() + i * width, width / 2, i);
  return table;
}

std::vector<double> sincos_3d(std::int64_t width, const std::array<std::int64_t, 3>& grid) {
  STRATA_CHECK(width % 6 == 0, usage, "position table",
               fmt::format("a width of {} does not divide by 6 (sine and cosine for each of three axes)", width),
               "choose a width that does");
  const std::int64_t third = width / 3, half = third / 2;
  std::vector<double> table(static_cast<std::size_t>(width * grid[0] * grid[1] * grid[2]));
  double* to = table.data();
  for (std::int64_t d = 0; d < grid[0]; ++d)
    for (std::int64_t h = 0; h < grid[1]; ++h)
      for (std::int64_t w = 0; w < grid[2]; ++w, to += width) {
        write_axis(to, half, w);
        write_axis(to + third, half, h);
        write_axis(to + 2 * third, half, d);
      }
  return table;
}

std::vector<double> sincos_2d_plus_1d(std::int64_t width, const std::array<std::int64_t, 3>& grid) {
  STRATA_CHECK(width % 4 == 0, usage, "position table",
               fmt::format("a width of {} does not divide by 4 (sine and cosine for each of two axes)", width));
  const std::int64_t half = width / 2;
  const auto depth = sincos_1d(width, grid[0]);
  std::vector<double> table(static_cast<std::size_t>(width * grid[0] * grid[1] * grid[2]));
  double* to = table.data();
  for (std::int64_t d = 0; d < grid[0]; ++d)
    for (std::int64_t h = 0; h < grid[1]; ++h)
      for (std::int64_t w = 0; w < grid[2]; ++w, to += width) {
        write_axis(to, half / 2, w);
        write_axis(to + half, half / 2, h);
        for (std::int64_t c = 0; c < width; ++c) to[c] += depth[static_cast<std::size_t>(d * width + c)];
      }
  return table;
}

}  // namespace strata::nn
