// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "strata/base/error.hpp"
#include "strata/base/random.hpp"
#include "strata/nn/tokens.hpp"

namespace strata::nn {
namespace {

void check(const StudyShape& shape) {
  STRATA_CHECK(shape.studies() > 0 && shape.scans() > 0, data, "study layout", "the batch has no studies or no scans",
               "leave empty studies out of the batch");
  STRATA_CHECK(shape.study_offsets.front() == 0, data, "study layout", "study offsets must begin with 0");
  STRATA_CHECK(shape.tokens_a_scan() > 0, data, "study layout", "scans have no voxels along an axis",
               "leave empty scans out of the batch");
  STRATA_CHECK(static_cast<std::int64_t>(shape.ordinals.size()) == shape.studies(), internal, "study layout",
               fmt::format("{} ordinals for {} studies", shape.ordinals.size(), shape.studies()));
  for (std::int64_t b = 0; b < shape.studies(); ++b) {
    const auto i = static_cast<std::size_t>(b);
    STRATA_CHECK(shape.study_offsets[i] < shape.study_offsets[i + 1], data, "study layout",
                 fmt::format("study {} of the batch (ordinal {}) has no scans", b, shape.ordinals[i]),
                 "leave empty studies out of the batch");
  }
}

// Calls visit(study, scan of the study, scan of the batch).
template <class Visit>
void for_each_scan(const StudyShape& shape, Visit visit) {
  for (std::size_t b = 0; b + 1 < shape.study_offsets.size(); ++b)
    for (auto s = shape.study_offsets[b]; s < shape.study_offsets[b + 1]; ++s) visit(b, s - shape.study_offsets[b], s);
}

// The `keep` of n indexes with the smallest keyed draws, ascending.
std::vector<std::int64_t> choose(std::int64_t n, std::int64_t keep, const RandomKey& key,
                                 const RandomCounter& counter) {
  std::vector<std::pair<std::uint32_t, std::int64_t>> draws;
  for (std::int64_t i = 0; i < n; ++i) draws.emplace_back(random_word(key, counter, static_cast<std::uint64_t>(i)), i);
  std::ranges::nth_element(draws, draws.begin() + keep);
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < keep; ++i) chosen.push_back(draws[static_cast<std::size_t>(i)].second);
  std::ranges::sort(chosen);
  return chosen;
}

Tensor device_i32(const Context& ctx, const std::vector<std::int32_t>& values) {
  return ctx.tensor(values, {static_cast<std::int64_t>(values.size())});
}

}  // namespace

std::string_view name_of(Level level) {
  constexpr std::array<std::string_view, 3> kNames{"slice", "scan", "study"};
  return kNames[static_cast<std::size_t>(level)];
}

std::vector<std::int32_t> keep_patches(const StudyShape& shape, Level level, double rate, std::uint64_t seed) {
  check(shape);
  const RandomKey key{seed, RandomPurpose::patch_dropout};
  const std::int64_t per_scan = shape.tokens_a_scan(), per_slice = shape.grid[1] * shape.grid[2];
  std::vector<std::int32_t> kept;
  auto keep_sequence = [&](std::int64_t first, std::int64_t n, std::size_t study, std::int64_t part) {
    const auto keep =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(static_cast<double>(n) * (1 - rate))));
    const RandomCounter counter{.ordinal = static_cast<std::uint64_t>(shape.ordinals[study]),
                                .part = static_cast<std::uint32_t>(part)};
    for (const auto i : choose(n, keep, key, counter)) kept.push_back(static_cast<std::int32_t>(first + i));
  };
  if (level == Level::study) {
    for (std::size_t b = 0; b + 1 < shape.study_offsets.size(); ++b)
      keep_sequence(shape.study_offsets[b] * per_scan, (shape.study_offsets[b + 1] - shape.study_offsets[b]) * per_scan,
                    b, 0);
    return kept;
  }
  for_each_scan(shape, [&](std::size_t b, std::int64_t of_study, std::int64_t scan) {
    if (level == Level::scan) {
      keep_sequence(scan * per_scan, per_scan, b, of_study);
    } else {
      for (std::int64_t d = 0; d < shape.grid[0]; ++d)
        keep_sequence(scan * per_scan + d * per_slice, per_slice, b, of_study * shape.grid[0] + d);
    }
  });
  return kept;
}

namespace {

std::vector<std::int64_t> patches_a_slice(const StudyShape& shape, const std::vector<std::int32_t>& kept) {
  const std::int64_t slices = shape.scans() * shape.grid[0], per_slice = shape.grid[1] * shape.grid[2];
  if (kept.empty()) return std::vector<std::int64_t>(static_cast<std::size_t>(slices), per_slice);
  std::vector<std::int64_t> counts(static_cast<std::size_t>(slices), 0);
  for (const auto token : kept) ++counts[static_cast<std::size_t>(token / per_slice)];
  return counts;
}

}  // namespace

StudyPlan::StudyPlan(StudyShape given, std::vector<std::int32_t> kept_patches)
    : shape(std::move(given)), kept(std::move(kept_patches)) {
  check(shape);
  const std::int64_t per_scan = shape.tokens_a_scan(), all = shape.scans() * per_scan;
  STRATA_CHECK(
      std::ranges::is_sorted(kept, std::less_equal<>()) && (kept.empty() || (kept.front() >= 0 && kept.back() < all)),
      internal, "study layout", "kept patches must be ascending indexes into the batch's patches");
  group(patches_a_slice(shape, kept));
  const std::int64_t tokens = kept.empty() ? all : static_cast<std::int64_t>(kept.size());
  spatial.reserve(static_cast<std::size_t>(tokens));
  scan_of_token.reserve(static_cast<std::size_t>(tokens));
  for (std::int64_t i = 0; i < tokens; ++i) {
    const std::int64_t token = kept.empty() ? i : kept[static_cast<std::size_t>(i)];
    spatial.push_back(static_cast<std::int32_t>(token % per_scan));
    scan_of_token.push_back(static_cast<std::int32_t>(token / per_scan));
  }
}

void StudyPlan::group(const std::vector<std::int64_t>& slice_patches) {
  const std::int64_t depth = shape.grid[0];
  auto& [slice, scan, study] = levels;
  slice_scan = scan_study = slice_study = {0};
  for (const auto patches : slice_patches) slice.lengths.push_back(patches + shape.prefix);
  for_each_scan(shape, [&](std::size_t b, std::int64_t of_study, std::int64_t s) {
    const auto first = slice_patches.begin() + s * depth;
    scan.lengths.push_back(shape.prefix + std::accumulate(first, first + depth, std::int64_t{0}));
    scan.keys.insert(scan.keys.end(), {shape.ordinals[b], of_study});
    for (std::int64_t d = 0; d < depth; ++d)
      slice.keys.insert(slice.keys.end(), {shape.ordinals[b], of_study * depth + d});
    slice_scan.push_back(static_cast<std::int32_t>((s + 1) * depth));
    if (of_study == 0) {
      study.lengths.push_back(shape.prefix);
      study.keys.insert(study.keys.end(), {shape.ordinals[b], 0});
    }
    study.lengths.back() += scan.lengths.back() - shape.prefix;
  });
  for (std::size_t b = 1; b < shape.study_offsets.size(); ++b) {
    scan_study.push_back(static_cast<std::int32_t>(shape.study_offsets[b]));
    slice_study.push_back(static_cast<std::int32_t>(shape.study_offsets[b] * depth));
  }
}

StudyLayout::StudyLayout(const Context& ctx, const StudyPlan& plan)
    : shape_(plan.shape), scan_of_token_(plan.scan_of_token) {
  for (std::size_t level = 0; level < levels_.size(); ++level) {
    const auto& [lengths, keys] = plan.levels[level];
    levels_[level] = {Segments::from_lengths(ctx, lengths),
                      ctx.tensor(keys, {static_cast<std::int64_t>(lengths.size()), 2})};
  }
  slice_to_scan_ = device_i32(ctx, plan.slice_scan);
  scan_to_study_ = device_i32(ctx, plan.scan_study);
  slice_to_study_ = device_i32(ctx, plan.slice_study);
  spatial_index_ = device_i32(ctx, plan.spatial);
  if (!plan.kept.empty()) kept_ = device_i32(ctx, plan.kept);
}

const Tensor& StudyLayout::parts(Level fine, Level coarse) const {
  STRATA_CHECK(fine < coarse, internal, "study layout",
               fmt::format("{} is not finer than {}", name_of(fine), name_of(coarse)));
  if (coarse == Level::scan) return slice_to_scan_;
  return fine == Level::scan ? scan_to_study_ : slice_to_study_;
}

}  // namespace strata::nn
