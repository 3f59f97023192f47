// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/patches.hpp"

#include <fmt/format.h>

#include "strata/ops/copy.hpp"

namespace strata::ops {
namespace {

constexpr std::array<const char*, 3> kAxisNames{"depth", "height", "width"};

std::int64_t patches_of(std::string_view op, const Shape& volume, const PatchGeometry& geometry) {
  const auto grid = patch_grid(op, volume, geometry);
  return volume[0] * grid[0] * grid[1] * grid[2];
}

std::int64_t voxels_of(const Shape& volume, const PatchGeometry& geometry) {
  return volume[1] * geometry.patch[0] * geometry.patch[1] * geometry.patch[2];
}

void check_kept(std::string_view op, const TensorSpec& kept) {
  if (!kept.defined) return;
  expect_type(op, kept, "kept", DType::i32);
  expect_ndim(op, kept, "kept", 1);
}

}  // namespace

std::array<std::int64_t, 3> patch_grid(std::string_view subject, const Shape& volume, const PatchGeometry& geometry) {
  STRATA_CHECK(volume.ndim() >= 3, usage, subject,
               fmt::format("a volume of shape {} has no depth, height and width", volume.str()));
  std::array<std::int64_t, 3> grid{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const std::int64_t size = volume[static_cast<int>(axis) - 3], patch = geometry.patch[axis];
    STRATA_CHECK(patch > 0, usage, subject,
                 fmt::format("a patch of {} voxels along {} is impossible", patch, kAxisNames[axis]));
    STRATA_CHECK(size % patch == 0, usage, subject,
                 fmt::format("{} {} does not divide into patches of {}", kAxisNames[axis], size, patch),
                 fmt::format("resize or crop the volume to a multiple of {} along {}", patch, kAxisNames[axis]));
    grid[axis] = size / patch;
  }
  return grid;
}

std::vector<TensorSpec> PatchUnfold::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 2);
  const auto& volume = inputs[0];
  expect_ndim(kName, volume, "the volume", 5);
  STRATA_CHECK(is_floating(volume.dtype) || volume.dtype == DType::u8 || volume.dtype == DType::i16, usage, kName,
               fmt::format("the volume is {}, expected u8, i16 or a floating type", volume.str()));
  STRATA_CHECK(is_floating(to), usage, kName, fmt::format("rows of type {} are not floating", name_of(to)));
  const auto kept = optional_spec(inputs, 1);
  check_kept(kName, kept);
  const std::int64_t rows = patches_of(kName, volume.shape, geometry);
  return {{to, {kept.defined ? kept.shape[0] : rows, voxels_of(volume.shape, geometry)}}};
}

std::vector<Tensor> PatchUnfold::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(args.specs.size());
  if (!args.wants(0)) return grads;
  const auto& volume = args.specs[0];
  expect_floating(kName, volume, "a differentiated volume");
  const PatchFold fold{geometry, scale, volume.shape};
  grads[0] = cast(args.ctx, run1(args.ctx, fold, {args.grad(), optional_tensor(args.inputs, 1)}), volume.dtype);
  return grads;
}

std::vector<TensorSpec> PatchFold::infer(Specs inputs) const {
  expect_inputs(kName, inputs, 1, 2);
  expect_floating(kName, inputs[0], "the rows");
  STRATA_CHECK(shape.ndim() == 5, usage, kName, fmt::format("the volume's shape {} has not 5 dimensions", shape.str()));
  const auto kept = optional_spec(inputs, 1);
  check_kept(kName, kept);
  const std::int64_t rows = patches_of(kName, shape, geometry);
  expect_shape(kName, inputs[0], "the rows", {kept.defined ? kept.shape[0] : rows, voxels_of(shape, geometry)});
  return {{inputs[0].dtype, shape}};
}

std::vector<Tensor> PatchFold::gradient(const GradientArgs& args) const {
  std::vector<Tensor> grads(args.specs.size());
  if (!args.wants(0)) return grads;
  const PatchUnfold unfold{geometry, scale, 0, args.specs[0].dtype};
  grads[0] = run1(args.ctx, unfold, {args.grad(), optional_tensor(args.inputs, 1)});
  return grads;
}

}  // namespace strata::ops
