// SPDX-License-Identifier: Apache-2.0
//
// Orientation codes ("IPR") and which axis of a grid they speak of.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "strata/study/volume.hpp"

namespace strata::study {

struct Direction {
  int world = 0;  // 0: left to right, 1: posterior to anterior, 2: inferior to superior
  int sign = 1;
};

std::array<Direction, 3> parse_axes(std::string_view code);  // of D, H, W; not three different axes: usage error

// For each axis of the grid the world axis it is nearest to, all different: the assignment whose cosines have the
// largest sum.
std::array<Direction, 3> nearest_directions(const Geometry& geometry);

}  // namespace strata::study
