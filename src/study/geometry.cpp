// SPDX-License-Identifier: Apache-2.0
#include "strata/study/geometry.hpp"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "strata/base/error.hpp"

namespace strata::study {
namespace {

Eigen::Vector3d eigen(const Vec3& v) { return {v[0], v[1], v[2]}; }

Eigen::Matrix3d steps_of(const Geometry& geometry) {  // columns: D, H, W
  Eigen::Matrix3d steps;
  for (int a = 0; a < 3; ++a) steps.col(a) = eigen(geometry.steps[static_cast<std::size_t>(a)]);
  return steps;
}

// The volume of a cell spanned by unit steps: 0 when they lie in one plane, whatever their lengths.
double independence(const Geometry& geometry) {
  return std::abs(steps_of(geometry).colwise().normalized().determinant());
}

}  // namespace

Vec3 position_of(const Geometry& geometry, const Vec3& index) {
  const Eigen::Vector3d p = eigen(geometry.origin) + steps_of(geometry) * eigen(index);
  return {p[0], p[1], p[2]};
}

Vec3 index_of(const Geometry& geometry, const Vec3& position) {
  STRATA_CHECK(independence(geometry) > 1e-6, data, "geometry", "the steps of the grid lie in one plane");
  const Eigen::Vector3d i = steps_of(geometry).partialPivLu().solve(eigen(position) - eigen(geometry.origin));
  return {i[0], i[1], i[2]};
}

Vec3 spacing_of(const Geometry& geometry) {
  Vec3 spacing{};
  for (std::size_t a = 0; a < 3; ++a) spacing[a] = eigen(geometry.steps[a]).norm();
  return spacing;
}

std::int64_t voxel_count(const Geometry& geometry) {
  return geometry.extents[0] * geometry.extents[1] * geometry.extents[2];
}

bool is_orthogonal(const Geometry& geometry, double cosine) {
  const Eigen::Matrix3d unit = steps_of(geometry).colwise().normalized();
  const Eigen::Matrix3d cosines = unit.transpose() * unit - Eigen::Matrix3d::Identity();
  return cosines.cwiseAbs().maxCoeff() <= cosine;
}

void check(const Volume& volume, std::string_view subject) {
  const Geometry& g = volume.geometry;
  const auto valid = [](std::int64_t extent) { return extent > 0 && extent <= (1 << 20); };
  STRATA_CHECK(std::ranges::all_of(g.extents, valid), data, subject,
               fmt::format("a volume of {}×{}×{} voxels", g.extents[0], g.extents[1], g.extents[2]));
  STRATA_CHECK(
      static_cast<std::int64_t>(volume.voxels.size()) == voxel_count(g), data, subject,
      fmt::format("{} values for {}×{}×{} voxels", volume.voxels.size(), g.extents[0], g.extents[1], g.extents[2]));
  const bool finite = steps_of(g).allFinite() && eigen(g.origin).allFinite();
  STRATA_CHECK(finite && independence(g) > 1e-6, data, subject,
               "the positions of the voxels span no volume: steps are zero, not finite or in one plane");
}

}  // namespace strata::study
