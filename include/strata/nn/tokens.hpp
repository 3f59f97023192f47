// SPDX-License-Identifier: Apache-2.0
//
// How a batch's tokens are grouped at each attention level of HLIP (arXiv 2505.21862, section 3): a slice, a scan, a
// study. A StudyLayout is made once a micro-batch on the host, from the grid, the studies' scans and the patches that
// dropout kept; modules only look at it. Studies are ragged: each keeps its own number of scans, nothing is padded.
// Sequences are P prefix tokens followed by their patch tokens, in scan, d, h, w order at every level, so patch tokens
// never change their order, only the prefixes between them.
#pragma once

#include <array>
#include <memory>

#include "strata/nn/layers.hpp"
#include "strata/ops/patches.hpp"
#include "strata/ops/regroup.hpp"

namespace strata::nn {

enum class Level : std::uint8_t { slice, scan, study };

std::string_view name_of(Level level);

// A micro-batch as the host describes it.
struct StudyShape {
  std::array<std::int64_t, 3> grid{};          // d, h, w patches a scan
  std::vector<std::int64_t> study_offsets{0};  // [B+1] in scans
  std::vector<std::int64_t> ordinals;          // [B] epoch · n + index of each study: what random numbers are keyed by
  std::int64_t prefix = 1;

  std::int64_t studies() const { return static_cast<std::int64_t>(study_offsets.size()) - 1; }
  std::int64_t scans() const { return study_offsets.back(); }
  std::int64_t tokens_a_scan() const { return grid[0] * grid[1] * grid[2]; }
};

// Patch dropout: which of a scan's tokens stay. Every sequence of `level` keeps max(1, floor(n·(1 − rate))) of its n
// patch tokens, chosen by counter (seed, study ordinal, sequence within the study). Returns ascending token indexes
// into S·L.
std::vector<std::int32_t> keep_patches(const StudyShape& shape, Level level, double rate, std::uint64_t seed);

// The host's part of a layout: how long sequences are, what their random numbers are keyed by, where tokens stand.
struct StudyPlan {
  // `kept` empty: all patches. No studies, a study without scans, or counts that disagree: data error naming the study.
  explicit StudyPlan(StudyShape shape, std::vector<std::int32_t> kept = {});

  struct Grouping {
    std::vector<std::int64_t> lengths, keys;  // [n], [n, 2]
  };
  StudyShape shape;
  std::vector<std::int32_t> kept;
  std::array<Grouping, 3> levels;                                 // by Level
  std::vector<std::int32_t> slice_scan, scan_study, slice_study;  // StudyLayout::parts
  std::vector<std::int32_t> spatial, scan_of_token;               // [patch tokens]

 private:
  void group(const std::vector<std::int64_t>& slice_patches);
};

class StudyLayout {
 public:
  StudyLayout(const Context& ctx, const StudyPlan& plan);
  StudyLayout(const Context& ctx, StudyShape shape, std::vector<std::int32_t> kept = {})
      : StudyLayout(ctx, StudyPlan(std::move(shape), std::move(kept))) {}

  const StudyShape& shape() const { return shape_; }
  std::int64_t prefix() const { return shape_.prefix; }
  std::int64_t patch_tokens() const { return static_cast<std::int64_t>(scan_of_token_.size()); }
  const Sequences& at(Level level) const { return levels_[static_cast<std::size_t>(level)]; }
  // i32 [coarse + 1]: which fine sequences each coarse one is made of.
  const Tensor& parts(Level fine, Level coarse) const;

  const Tensor& kept() const { return kept_; }  // i32 [patch_tokens], undefined when all are kept
  const Tensor& spatial_index() const {
    return spatial_index_;
  }  // i32 [patch_tokens]: position of each token in the grid, 0 … L−1
  const std::vector<std::int32_t>& scan_of_token() const { return scan_of_token_; }  // host: scan of each patch token

 private:
  StudyShape shape_;
  std::array<Sequences, 3> levels_;
  Tensor slice_to_scan_, scan_to_study_, slice_to_study_;
  Tensor kept_, spatial_index_;
  std::vector<std::int32_t> scan_of_token_;
};

using StudyLayoutPtr = std::shared_ptr<const StudyLayout>;
using StudyPlanPtr = std::shared_ptr<const StudyPlan>;

// Token rows and how they are grouped now.
struct Tokens {
  Variable rows;  // [T, C]
  StudyLayoutPtr layout;
  Level level = Level::study;

  const Sequences& sequences() const { return layout->at(level); }
};

// Changes the level: up averages the prefixes of merged sequences, down copies them. A module of its own, so that a
// plan can put collectives at its border (study parallelism) or replace it.
class Regroup : public Module {
 public:
  virtual Tokens forward(Tape& tape, const Tokens& tokens, Level to);
};

// Volumes to tokens: unfold, one product. The weight has a convolution's shape [C, channels, pd, ph, pw].
class PatchEmbed3d final : public Module {
 public:
  PatchEmbed3d(const Context& ctx, DType dtype, std::int64_t channels, ops::PatchGeometry geometry, std::int64_t width);
  // scans [S, channels, D, H, W] of any type, each value v read as v·scale + shift; kept i32 or undefined -> [tokens,
  // C] in the accumulation type of the model's
  Variable forward(Tape& tape, const Variable& scans, double scale, double shift, const Tensor& kept);

  const ops::PatchGeometry& geometry() const { return geometry_; }
  Linear proj;

 private:
  ops::PatchGeometry geometry_;
};

// Position tables: a spatial one [1, d, h, w, C] and, when max_scans > 1, a sequential one [1, max_scans, C], both
// added to the patch tokens. Another grid than the table's: resampled trilinearly. Parameters carry the parent's path
// (register this module under an empty name).
class Position3d final : public Module {
 public:
  Position3d(const Context& ctx, DType dtype, std::int64_t width, const std::array<std::int64_t, 3>& grid,
             std::int64_t max_scans);
  // `scan_positions` [S] overrides which rows of the sequential table the scans take. Without it: in training each
  // study draws distinct rows by its ordinal; otherwise rows 0 … N−1, from a table resampled linearly to N rows when a
  // study has more scans than the table rows.
  Variable forward(Tape& tape, const Variable& rows, const StudyLayout& layout,
                   const std::vector<std::int64_t>& scan_positions);

  ParameterPtr spatial, sequential;  // the second is null without a sequential table

 private:
  struct SequentialRows;
  Variable spatial_table(Tape& tape, const std::array<std::int64_t, 3>& grid) const;
  SequentialRows sequential_rows(Tape& tape, const StudyLayout& layout,
                                 const std::vector<std::int64_t>& scan_positions) const;
};

// Which `count` of `rows` table rows a study's scans take in training, in scan order: distinct, drawn by (seed,
// ordinal).
std::vector<std::int64_t> draw_scan_positions(std::int64_t rows, std::int64_t count, std::uint64_t seed,
                                              std::int64_t ordinal);

// Fixed sin-cos tables, in double on the host, row-major. Frequencies 1/10000^(k / (C/2)) in single precision, as
// published code forms them.
std::vector<double> sincos_1d(std::int64_t width, std::int64_t count);  // [count, C]: sin | cos
std::vector<double> sincos_3d(
    std::int64_t width,
    const std::array<std::int64_t, 3>& grid);  // [d, h, w, C]: w-part | h-part | d-part; C divisible by 6
// For widths that do not divide by 6 (1024): 2-D sin-cos over h, w as a MAE ViT has it ([w-part | h-part]) plus 1-D
// sin-cos over d.
std::vector<double> sincos_2d_plus_1d(std::int64_t width, const std::array<std::int64_t, 3>& grid);

}  // namespace strata::nn
