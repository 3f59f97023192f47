// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "strata/base/random.hpp"
#include "strata/models/model.hpp"
#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/patches.hpp"

namespace strata::models {
namespace {

constexpr double kIntensityMean = 0.449, kIntensityDeviation = 0.226;

// Scans of a study that stay, ascending: those with the smallest keyed draws.
std::vector<std::int64_t> subset(std::int64_t scans, std::int64_t limit, std::uint64_t seed, std::int64_t ordinal) {
  std::vector<std::pair<std::uint32_t, std::int64_t>> draws;
  for (std::int64_t i = 0; i < scans; ++i)
    draws.emplace_back(random_word({seed, RandomPurpose::scan_subset}, {.ordinal = static_cast<std::uint64_t>(ordinal)},
                                   static_cast<std::uint64_t>(i)),
                       i);
  std::ranges::sort(draws);
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < std::min(scans, limit); ++i) chosen.push_back(draws[static_cast<std::size_t>(i)].second);
  std::ranges::sort(chosen);
  return chosen;
}

}  // namespace

void normalise_intensity(StudyBatch& batch, double full_scale) {
  batch.scale = 1 / (full_scale * kIntensityDeviation);
  batch.shift = -kIntensityMean / kIntensityDeviation;
}

StudyBatch standardise_voxels(const Context& ctx, const StudyBatch& batch, const Tensor& voxel_scale,
                              const Tensor& voxel_shift) {
  const Shape& shape = batch.scans.shape();
  STRATA_CHECK(
      shape.without(0) == voxel_scale.shape(), usage, "model",
      fmt::format("scans {} cannot be standardised by statistics of voxels {}", shape.str(), voxel_scale.shape().str()),
      "ingest these studies with the profile of the training set");
  StudyBatch result = batch;
  result.scans = ctx.empty(DType::f32, shape);
  result.scale = 1;
  result.shift = 0;
  if (shape[0] == 0) return result;
  Context context = ctx;
  // One patch, the whole scan: numbers of every type become f32, in their order.
  const ops::PatchUnfold read{{{shape[2], shape[3], shape[4]}}, batch.scale, batch.shift, DType::f32};
  ops::run_into(context, read, {batch.scans, Tensor()}, {result.scans.reshape({shape[0], voxel_scale.numel()})});
  ops::run_into(context, ops::Mul{}, {result.scans, voxel_scale}, {result.scans});
  ops::run_into(context, ops::Add{}, {result.scans, voxel_shift}, {result.scans});
  return result;
}

StudyBatch select_scans(const Context& ctx, const StudyBatch& batch, std::int64_t limit, std::uint64_t seed) {
  check(batch);
  std::vector<std::int64_t> chosen;
  StudyBatch result = batch;
  result.study_offsets = {0};
  result.scan_positions.clear();
  for (std::size_t b = 0; b + 1 < batch.study_offsets.size(); ++b) {
    const std::int64_t first = batch.study_offsets[b];
    for (const auto i : subset(batch.study_offsets[b + 1] - first, limit, seed, batch.ordinals[b]))
      chosen.push_back(first + i);
    result.study_offsets.push_back(static_cast<std::int64_t>(chosen.size()));
  }
  if (chosen.size() == static_cast<std::size_t>(batch.study_offsets.back())) return batch;
  Context context = ctx;
  result.scans = ctx.empty(batch.scans.dtype(), batch.scans.shape().with(0, static_cast<std::int64_t>(chosen.size())));
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto to = static_cast<std::int64_t>(i);
    ops::run_into(context, ops::Copy{}, {batch.scans.slice(0, chosen[i], chosen[i] + 1)},
                  {result.scans.slice(0, to, to + 1)});
    if (!batch.scan_positions.empty())
      result.scan_positions.push_back(batch.scan_positions[static_cast<std::size_t>(chosen[i])]);
  }
  return result;
}

}  // namespace strata::models
