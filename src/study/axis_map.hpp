// SPDX-License-Identifier: Apache-2.0
//
// One axis of a geometric step: a band matrix [out, in] in double, each output sample a weighted sum of neighbouring
// input samples, or nothing (padding). Steps in a row are one product of such matrices, and resampling, cropping,
// padding and flipping then cost one pass together.
#pragma once

#include <cstdint>
#include <vector>

#include "strata/study/resample.hpp"

namespace strata::study {

struct AxisMap {
  std::int64_t in = 0;
  std::vector<std::int64_t> first;  // [out] first input sample of each row
  std::vector<std::int64_t> begin;  // [out + 1] where each row's weights begin; an empty row is padding
  std::vector<double> weights;
  double start = 0, stride = 1;  // output sample i lies at start + i·stride, in input samples

  std::int64_t out() const { return static_cast<std::int64_t>(first.size()); }
  std::int64_t taps(std::int64_t row) const {
    return begin[static_cast<std::size_t>(row) + 1] - begin[static_cast<std::size_t>(row)];
  }
};

AxisMap identity_map(std::int64_t n);
AxisMap reversed_map(std::int64_t n);
AxisMap part_map(std::int64_t n, std::int64_t from, std::int64_t count);  // samples outside [0, n) are padding
// `count` samples at start + i·stride, clamped to [0, n − 1]. cubic: weights for coefficients of spline_coefficients().
AxisMap sample_map(Filter filter, std::int64_t n, double start, double stride, std::int64_t count);
AxisMap resize_map(Filter filter, std::int64_t n, std::int64_t count);  // same field of view; any filter
AxisMap compose(const AxisMap& outer, const AxisMap& inner);            // outer after inner

bool is_identity(const AxisMap& map);
bool is_selection(const AxisMap& map);  // every row is one sample as it is, or padding
bool is_bijection(const AxisMap& map);  // every sample once: the identity or its reverse
bool has_padding(const AxisMap& map);   // a row whose weights do not add up to 1

// The same in f32 with one number of taps for all rows, as loops want it.
struct PackedMap {
  std::int64_t in = 0, out = 0, taps = 1;
  std::vector<std::int32_t> first;  // [out]
  std::vector<float> weights;       // [taps, out]
  bool identity = false;
  bool selection = false;          // one tap of weight 1 a row
  std::int64_t low = 0, high = 0;  // input samples that are read lie in [low, high)
};
PackedMap pack(const AxisMap& map);

}  // namespace strata::study
