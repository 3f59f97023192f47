// SPDX-License-Identifier: Apache-2.0
#include "study/orientation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"
#include "strata/study/geometry.hpp"

namespace strata::study {
namespace {

constexpr std::string_view kPositive = "RAS", kNegative = "LPI";

}  // namespace

std::array<Direction, 3> parse_axes(std::string_view code) {
  std::array<Direction, 3> directions{};
  std::array<bool, 3> seen{};
  bool right = code.size() == 3;
  for (std::size_t a = 0; a < 3 && right; ++a) {
    const auto up = kPositive.find(code[a]), down = kNegative.find(code[a]);
    right = up != std::string_view::npos || down != std::string_view::npos;
    if (!right) break;
    const std::size_t world = up != std::string_view::npos ? up : down;
    directions[a] = {static_cast<int>(world), up != std::string_view::npos ? 1 : -1};
    right = !seen[world];
    seen[world] = true;
  }
  STRATA_CHECK(right, usage, "orientation", fmt::format("'{}' names no orientation", code.substr(0, 40)),
               "give D, H and W a letter each, one of R L, one of A P and one of S I: RAS, IPR, SPL");
  return directions;
}

std::array<Direction, 3> nearest_directions(const Geometry& geometry) {
  const Vec3 spacing = spacing_of(geometry);
  std::array<int, 3> order{0, 1, 2}, best = order;
  double best_sum = -1;
  do {
    double sum = 0;
    for (std::size_t a = 0; a < 3; ++a)
      sum += std::abs(geometry.steps[a][static_cast<std::size_t>(order[a])]) / spacing[a];
    if (sum > best_sum + 1e-9) {  // a tie falls to the first order, on any machine
      best_sum = sum;
      best = order;
    }
  } while (std::next_permutation(order.begin(), order.end()));
  std::array<Direction, 3> directions{};
  for (std::size_t a = 0; a < 3; ++a)
    directions[a] = {best[a], geometry.steps[a][static_cast<std::size_t>(best[a])] < 0 ? -1 : 1};
  return directions;
}

std::string orientation_of(const Geometry& geometry) {
  std::string code;
  for (const Direction& d : nearest_directions(geometry))
    code += (d.sign > 0 ? kPositive : kNegative)[static_cast<std::size_t>(d.world)];
  return code;
}

}  // namespace strata::study
