// SPDX-License-Identifier: Apache-2.0
//
// Resampling of tables (position embeddings, patch kernels) along one axis, with align_corners = false: sample i of
// n_out lies at (i + 1/2) · n_in / n_out − 1/2, clamped to the table. Equal to torch.nn.functional.interpolate:
// `linear` applied to each axis in turn gives its linear, bilinear and trilinear modes, `cubic` its bicubic (a = −3/4,
// edge values repeated), `cubic_antialias` its bicubic with antialias = True (a = −1/2, support widened by n_in / n_out
// when shrinking, weights normalised, taps outside the table left out).
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

enum class ResampleFilter : std::uint8_t { linear, cubic, cubic_antialias };

// x [.., in, ..] -> [.., out, ..]. `adjoint`: the transposed map, from `out` samples back to `in` (then x's axis has
// `out` extents).
struct Resample {
  static constexpr std::string_view kName = "resample";
  int axis = 0;
  std::int64_t in = 0;
  std::int64_t out = 0;
  ResampleFilter filter = ResampleFilter::linear;
  bool adjoint = false;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const Resample&) const = default;
};

// The dense matrix [out, in] of the map, row-major, in double: what every backend applies.
std::vector<double> resample_matrix(ResampleFilter filter, std::int64_t in, std::int64_t out);

// One Resample an axis that changes: x's axes first, first + 1, ... take the extents `to`. x itself when nothing
// changes.
Tensor resample(Context& ctx, const Tensor& x, int first_axis, const std::vector<std::int64_t>& to,
                ResampleFilter filter);

}  // namespace strata::ops
