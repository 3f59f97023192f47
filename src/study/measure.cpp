// SPDX-License-Identifier: Apache-2.0
#include "study/measure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "study/simd/rows.hpp"

namespace strata::study {

Measured measure(const std::vector<float>& voxels, const std::optional<float>& padding) {
  std::array<float, 2> range{};
  const std::int64_t count = row_kernels().measure(voxels.data(), static_cast<std::int64_t>(voxels.size()),
                                                   padding.has_value(), padding.value_or(0.0f), range.data());
  return count == 0 ? Measured{} : Measured{count, range[0], range[1]};
}

float padding_below(const Measured& measured) {  // from 2^24 on, x − 1 is x in f32
  return std::min(measured.low - 1, std::nextafter(measured.low, -std::numeric_limits<float>::infinity()));
}

}  // namespace strata::study
