// SPDX-License-Identifier: Apache-2.0
#include "study/spline.hpp"

#include <algorithm>
#include <vector>

#include "study/simd/rows.hpp"

namespace strata::study {
namespace {

constexpr std::int64_t kTile = 32;  // rows that are filtered along W side by side

void along_w(float* voxels, std::int64_t rows, std::int64_t width) {
  const RowKernels& kernels = row_kernels();
  std::vector<float> tile(static_cast<std::size_t>(kTile * width)), scratch(kTile);
  for (std::int64_t first = 0; first < rows; first += kTile) {
    const std::int64_t count = std::min(kTile, rows - first);
    float* row = voxels + first * width;
    for (std::int64_t r = 0; r < count; ++r)
      for (std::int64_t w = 0; w < width; ++w) tile[static_cast<std::size_t>(w * kTile + r)] = row[r * width + w];
    kernels.spline(tile.data(), kTile, width, kTile, scratch.data());
    for (std::int64_t r = 0; r < count; ++r)
      for (std::int64_t w = 0; w < width; ++w) row[r * width + w] = tile[static_cast<std::size_t>(w * kTile + r)];
  }
}

}  // namespace

void spline_coefficients(float* voxels, const Extents3& extents, const std::array<bool, 3>& axes) {
  const auto& [depth, height, width] = extents;
  std::vector<float> scratch(static_cast<std::size_t>(width));
  for (std::int64_t d = 0; d < depth; ++d) {
    float* slice = voxels + d * height * width;  // stays in the cache for both axes
    if (axes[1] && height > 1) row_kernels().spline(slice, width, height, width, scratch.data());
    if (axes[2] && width > 1) along_w(slice, height, width);
  }
  if (axes[0] && depth > 1)
    for (std::int64_t h = 0; h < height; ++h)
      row_kernels().spline(voxels + h * width, height * width, depth, width, scratch.data());
}

}  // namespace strata::study
