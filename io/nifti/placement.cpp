// SPDX-License-Identifier: Apache-2.0
// Where a NIfTI volume lies: nifti1.h, "3D IMAGE (VOLUME) ORIENTATION AND LOCATION IN SPACE", methods 3, 2 and 1.
#include <fmt/format.h>
#include <nifti2_io.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "io/nifti/header.hpp"

namespace strata::io {
namespace {

constexpr double kLargestMm = 1e6;        // nothing of a patient is a kilometre away
constexpr double kSmallestMm = 1e-6;      // a step of less is no step
constexpr double kFlat = 1e-6;            // a determinant of less, relative to the product of the steps: no volume
constexpr double kSpacingDiffers = 1e-2;  // relative
constexpr double kFormsDiffer = 0.1;      // of the smallest step

double length(const Affine& affine, std::size_t column) {
  return std::hypot(affine[0][column], affine[1][column], affine[2][column]);
}

double determinant(const Affine& a) {
  return a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1]) - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0]) +
         a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0]);
}

bool is_usable(const Affine& affine) {
  double steps = 1;
  // Asked of each entry: std::hypot of three may swallow a NaN (libstdc++ 12: hypot(0, NaN, 0) is 0).
  for (const auto& row : affine)
    if (!std::all_of(row.begin(), row.end(), [](double entry) { return std::abs(entry) <= kLargestMm; })) return false;
  for (std::size_t column = 0; column < 3; ++column) {
    const double size = length(affine, column);
    if (size < kSmallestMm) return false;
    steps *= size;
  }
  return std::abs(determinant(affine)) > kFlat * steps;
}

double spacing(const RawHeader& raw, std::size_t axis) { return std::abs(raw.pixdim[axis + 1]); }

// An axis of one voxel needs no spacing; files often say 0 there.
bool states_spacing(const RawHeader& raw, std::size_t axis) {
  const bool counts = axis < static_cast<std::size_t>(raw.dim[0]) && raw.dim[axis + 1] > 1;
  const double size = spacing(raw, axis);
  return !counts || (size >= kSmallestMm && size <= kLargestMm);
}

double spacing_or_1(const RawHeader& raw, std::size_t axis) {
  const double size = spacing(raw, axis);
  return size >= kSmallestMm && size <= kLargestMm ? size : 1.0;
}

bool all_spacings_stated(const RawHeader& raw) {
  return states_spacing(raw, 0) && states_spacing(raw, 1) && states_spacing(raw, 2);
}

std::optional<Affine> sform(const RawHeader& raw) {
  return raw.sform_code > 0 && is_usable(raw.sform) ? std::optional(raw.sform) : std::nullopt;
}

std::optional<Affine> qform(const RawHeader& raw) {
  if (raw.qform_code <= 0 || !all_spacings_stated(raw)) return std::nullopt;
  double norm = 0;
  for (const double part : raw.quaternion) norm += part * part;
  // b, c, d are three parts of a unit quaternion; what rounding may add is forgiven, more is no rotation.
  if (!(norm <= 1 + 1e-3)) return std::nullopt;
  const nifti_dmat44 matrix = nifti_quatern_to_dmat44(
      raw.quaternion[0], raw.quaternion[1], raw.quaternion[2], raw.qoffset[0], raw.qoffset[1], raw.qoffset[2],
      spacing_or_1(raw, 0), spacing_or_1(raw, 1), spacing_or_1(raw, 2), raw.pixdim[0] < 0 ? -1.0 : 1.0);
  Affine affine;
  for (std::size_t row = 0; row < 3; ++row) std::copy_n(matrix.m[row], 4, affine[row].begin());
  return is_usable(affine) ? std::optional(affine) : std::nullopt;
}

Affine from_spacing(const RawHeader& raw) {
  Affine affine{};
  for (std::size_t axis = 0; axis < 3; ++axis) affine[axis][axis] = spacing_or_1(raw, axis);
  return affine;
}

// The farthest that two affines take one corner of the volume apart, mm.
double largest_distance(const Affine& a, const Affine& b, const study::Extents3& extents) {
  double largest = 0;
  for (unsigned corner = 0; corner < 8; ++corner) {
    std::array<double, 3> apart{};
    for (std::size_t row = 0; row < 3; ++row) {
      apart[row] = a[row][3] - b[row][3];
      for (std::size_t axis = 0; axis < 3; ++axis)
        if ((corner >> axis & 1u) != 0)
          apart[row] += (a[row][axis] - b[row][axis]) * static_cast<double>(extents[2 - axis] - 1);
    }
    largest = std::max(largest, std::hypot(apart[0], apart[1], apart[2]));
  }
  return largest;
}

void compare(const Affine& taken, const Affine& other, NiftiHeader& header) {
  const double apart = largest_distance(taken, other, header.geometry.extents);
  if (apart <= kFormsDiffer * std::min({length(taken, 0), length(taken, 1), length(taken, 2)})) return;
  header.notes.push_back(
      fmt::format("s-form and q-form place a corner {:.3g} mm apart{}: the s-form was taken", apart,
                  determinant(taken) * determinant(other) < 0 ? " and are mirror images of each other" : ""));
}

void compare_spacing(const RawHeader& raw, const Affine& taken, NiftiHeader& header) {
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double said = spacing(raw, axis), step = length(taken, axis);
    const bool counts = header.geometry.extents[2 - axis] > 1;
    if (!counts || std::abs(said - step) <= kSpacingDiffers * step) continue;
    header.notes.push_back(fmt::format(
        "the header says voxels of {:.4g} mm along {}, but the s-form steps by {:.4g} mm: the s-form was taken", said,
        "xyz"[axis], step));
  }
}

double mm_of_unit(const RawHeader& raw, NiftiHeader& header) {
  const int unit = raw.units & 7;
  if (unit != NIFTI_UNITS_METER && unit != NIFTI_UNITS_MICRON) return 1;  // mm, or not said, which means mm
  header.notes.push_back(unit == NIFTI_UNITS_METER ? "lengths are in metres: brought to mm"
                                                   : "lengths are in micrometres: brought to mm");
  return unit == NIFTI_UNITS_METER ? 1e3 : 1e-3;
}

// The file's x, y, z are the volume's W, H, D.
void set_geometry(const Affine& affine, double mm, study::Geometry& geometry) {
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t axis = 0; axis < 3; ++axis) geometry.steps[2 - axis][row] = affine[row][axis] * mm;
    geometry.origin[row] = affine[row][3] * mm;
  }
}

}  // namespace

void place(const RawHeader& raw, const std::string& name, NiftiHeader& header) {
  const auto s = sform(raw), q = qform(raw);
  if (raw.sform_code > 0 && !s) header.notes.emplace_back("the s-form is no usable affine: it was left out");
  if (raw.qform_code > 0 && !q) header.notes.emplace_back("the q-form is no usable rotation: it was left out");
  const double mm = mm_of_unit(raw, header);
  if (s) {
    header.affine = AffineSource::sform;
    if (q) compare(*s, *q, header);
    compare_spacing(raw, *s, header);
  } else if (q) {
    header.affine = AffineSource::qform;
  } else {
    if (!all_spacings_stated(raw))
      bad_nifti(name,
                fmt::format("neither s-form nor q-form is usable, and the voxel sizes are {:.4g} × {:.4g} × {:.4g} mm",
                            raw.pixdim[1], raw.pixdim[2], raw.pixdim[3]),
                "write the affine into the file");
    header.affine = AffineSource::spacing;
    header.notes.emplace_back(
        "the file does not say how the volume lies in the patient: axes were taken as RAS+, left "
        "and right may be exchanged");
  }
  set_geometry(s ? *s : q ? *q : from_spacing(raw), mm, header.geometry);
}

}  // namespace strata::io
