// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "strata/study/volume.hpp"

namespace strata::study {

// Samples become coefficients of the cubic B-spline through them, in place, along the axes asked for; beyond its ends a
// row of samples repeats the last one. Recursive: two passes an axis.
void spline_coefficients(float* voxels, const Extents3& extents, const std::array<bool, 3>& axes);

}  // namespace strata::study
