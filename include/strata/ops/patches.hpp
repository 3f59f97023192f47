// SPDX-License-Identifier: Apache-2.0
//
// Volumes to rows of non-overlapping 3-D patches and back. A convolution with kernel = stride = patch is PatchUnfold
// followed by Linear with the weight [C, Cin, pd, ph, pw] seen as [C, Cin·pd·ph·pw].
#pragma once

#include "strata/ops/op.hpp"

namespace strata::ops {

struct PatchGeometry {
  std::array<std::int64_t, 3> patch{8, 16, 16};  // pd, ph, pw, voxels
  bool operator==(const PatchGeometry&) const = default;
};

// (volume [S, Cin, D, H, W] u8, i16 or floating, kept i32 [K] or none) -> rows [S·L or K, Cin·pd·ph·pw] of type `to`,
// row s·L + (d·h + h)·w + w in grid order d, h, w; with `kept`, only the rows it lists (indexes into S·L, ascending).
// Each value becomes x · scale + shift. Sizes that do not divide: usage error naming axis and sizes.
struct PatchUnfold {
  static constexpr std::string_view kName = "patch_unfold";
  static constexpr bool kCheap = true;
  PatchGeometry geometry;
  double scale = 1;
  double shift = 0;
  DType to = DType::f32;
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 2}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const PatchUnfold&) const = default;
};

// The adjoint: (rows, kept or none) -> volume `shape` (floating, of the rows' type), times scale; voxels of patches not
// kept are 0.
struct PatchFold {
  static constexpr std::string_view kName = "patch_fold";
  PatchGeometry geometry;
  double scale = 1;
  Shape shape;  // [S, Cin, D, H, W]
  std::vector<TensorSpec> infer(Specs inputs) const;
  Saved saves(std::uint32_t) const { return {.inputs = 2}; }
  std::vector<Tensor> gradient(const GradientArgs& args) const;
  bool operator==(const PatchFold&) const = default;
};

// Grid of a volume [.., D, H, W]: {d, h, w}; throws the error above.
std::array<std::int64_t, 3> patch_grid(std::string_view subject, const Shape& volume, const PatchGeometry& geometry);

}  // namespace strata::ops
