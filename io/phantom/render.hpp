// SPDX-License-Identifier: Apache-2.0
//
// From a plan to pixels: slices of a head on its table, noise and sharpness of the kernel, the numbers that a scanner
// stores.
#pragma once

#include <cstdint>
#include <vector>

#include "io/phantom/plan.hpp"

namespace strata::phantom {

struct Slices {
  int matrix = 0;
  double spacing = 0;                   // in plane, mm
  std::vector<Point> centres{};         // of each slice, LPS
  Point step_w{}, step_h{};             // a column, a row further, LPS, mm
  std::vector<std::int16_t> stored{};   // [D, matrix, matrix]; unsigned where the scanner is (12 bits: no difference)
  std::vector<std::uint8_t> lesions{};  // [D, matrix, matrix], LesionKind; empty unless asked for
};

inline constexpr int kStoredPadding = -2000;

Slices render(const StudyPlan& study, const SeriesPlan& series, bool with_lesions = false);

// What a lateral projection of axial slices looks like: [rows, cols] stored values; rows from the top of the head down,
// columns from the face to the back.
struct Projection {
  int rows = 0, columns = 0;
  double spacing = 1;  // both ways, mm
  Point origin{};      // centre of the first pixel, LPS
  std::vector<std::int16_t> stored{};
};
Projection project(const StudyPlan& study, const Slices& slices);

}  // namespace strata::phantom
