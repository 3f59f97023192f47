// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "models/projection.hpp"
#include "strata/base/error.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/ops/concat.hpp"
#include "strata/ops/gather.hpp"
#include "strata/ops/regroup.hpp"

namespace strata::models {
namespace {

std::int64_t head_inputs(const HierarchicalVit3dConfig& config) {
  return config.head == Head::dinotxt ? 2 * config.width : config.width;
}

// Row numbers of the first `prefix` tokens of every study, and the study of each.
std::pair<Tensor, Tensor> prefix_rows(const Context& ctx, const nn::Segments& studies, std::int64_t prefix) {
  std::vector<std::int32_t> rows, of_study;
  for (std::int64_t b = 0; b < studies.count(); ++b)
    for (std::int64_t p = 0; p < prefix; ++p) {
      rows.push_back(static_cast<std::int32_t>(studies.begin(b) + p));
      of_study.push_back(static_cast<std::int32_t>(b));
    }
  const Shape shape{static_cast<std::int64_t>(rows.size())};
  return {ctx.tensor(rows, shape), ctx.tensor(of_study, shape)};
}

}  // namespace

HlipVisualEncoder::HlipVisualEncoder(const Context& ctx, DType dtype, const HierarchicalVit3dConfig& config)
    : trunk(ctx, dtype, config),
      head_proj(ctx, dtype, head_inputs(config), config.joint_width,
                projection_options(head_inputs(config), config.joint_width)) {
  add("trunk", trunk);
  add("head.proj", head_proj);
  name_parameters("visual");
}

std::int64_t HlipVisualEncoder::embeddings_a_study() const {
  return trunk.config().head == Head::dinotxt ? trunk.prefix() : 1;
}

StudyBatch HlipVisualEncoder::prepare(Tape& tape, const StudyBatch& batch) const {
  return trunk.voxel_scale
             ? standardise_voxels(tape.ctx(), batch, trunk.voxel_scale->value(), trunk.voxel_shift->value())
             : batch;
}

StudyBatch HlipVisualEncoder::choose(Tape& tape, const StudyBatch& batch) const {
  const auto& config = trunk.config();
  STRATA_CHECK(batch.scans.dim(1) == config.channels, usage, config.name,
               fmt::format("scans have {} channels, the model takes {}", batch.scans.dim(1), config.channels));
  if (config.max_scans == 0) return batch;
  if (config.max_scans == 1) {
    for (std::size_t b = 0; b + 1 < batch.study_offsets.size(); ++b) {
      const auto scans = batch.study_offsets[b + 1] - batch.study_offsets[b];
      STRATA_CHECK(scans <= 1, usage, config.name,
                   fmt::format("takes one scan a study, but study {} of the batch has {}", b, scans),
                   "choose one scan a study, or a multi-scan variant");
    }
    return batch;
  }
  return tape.training() && batch.scan_positions.empty()
             ? select_scans(tape.ctx(), batch, config.max_scans, tape.mode().seed)
             : batch;
}

nn::StudyPlanPtr HlipVisualEncoder::plan(const autograd::Mode& mode, const StudyBatch& batch) const {
  const auto& config = trunk.config();
  nn::StudyShape shape{ops::patch_grid("patch embedding", batch.scans.shape(), {config.patch}), batch.study_offsets,
                       batch.ordinals, trunk.prefix()};
  std::vector<std::int32_t> kept;
  if (mode.training && config.patch_dropout > 0)
    kept = nn::keep_patches(shape, config.level(0), config.patch_dropout, mode.seed);
  return std::make_shared<const nn::StudyPlan>(std::move(shape), std::move(kept));
}

// Only what the head reads is normalised: the last norm works row by row, so picking rows first gives the same numbers.
nn::Tokens HlipVisualEncoder::head(Tape& tape, const nn::Tokens& tokens) {
  const nn::Tokens study = trunk.to_study(tape, tokens);
  const nn::Segments& segments = study.sequences().segments;
  const auto& config = trunk.config();
  const auto [rows, of_study] = prefix_rows(tape.ctx(), segments, config.head == Head::cls ? 1 : trunk.prefix());
  if (config.head == Head::cls) {
    const Variable cls =
        trunk.norm.forward(tape, tape.apply1(ops::GatherRows{}, {study.rows, tape.constant(rows)}));  // [B, C]
    return {project(tape, head_proj, cls), study.layout, study.level};
  }
  const Variable normed = trunk.norm.forward(tape, study.rows);
  const Variable prefix = tape.apply1(ops::GatherRows{}, {normed, tape.constant(rows)});  // [B·P, C]
  const Variable mean =
      tape.apply1(ops::SegmentMean{trunk.prefix()}, {normed, tape.constant(segments.device_offsets())});  // [B, C]
  const Variable joined =
      tape.apply1(ops::Concat{1}, {prefix, tape.apply1(ops::GatherRows{}, {mean, tape.constant(of_study)})});
  return {project(tape, head_proj, joined), study.layout, study.level};
}

double HlipVisualEncoder::block_flops(const nn::StudyLayout& layout, nn::Level level) const {
  const auto& segments = layout.at(level).segments;
  const auto tokens = static_cast<double>(segments.total()), width = static_cast<double>(trunk.config().width),
             ratio = static_cast<double>(trunk.config().mlp_ratio);
  return 2 * tokens * width * width * (3 + 1 + 2 * ratio) + 4 * static_cast<double>(segments.pairs()) * width;
}

std::vector<Stage> HlipVisualEncoder::chain(const StudyBatch& batch, const nn::StudyLayout& layout) {
  const auto& config = trunk.config();
  const double patch = static_cast<double>(config.channels * config.patch[0] * config.patch[1] * config.patch[2]);
  std::vector<Stage> stages;
  stages.push_back(
      {"trunk.patch_embed",
       [this, batch](Tape& tape, const nn::Tokens& in) { return trunk.embed(tape, in.rows, batch, in.layout); },
       2 * static_cast<double>(layout.patch_tokens()) * patch * static_cast<double>(config.width)});
  for (std::size_t i = 0; i < trunk.blocks.size(); ++i)
    stages.push_back({fmt::format("trunk.blocks.{}", i),
                      [this, i](Tape& tape, const nn::Tokens& in) { return trunk.block(tape, in, i); },
                      block_flops(layout, config.level(static_cast<std::int64_t>(i)))});
  stages.push_back({"head", [this](Tape& tape, const nn::Tokens& in) { return head(tape, in); },
                    2 * static_cast<double>(layout.shape().studies() * embeddings_a_study() * head_inputs(config) *
                                            config.joint_width)});
  return stages;
}

}  // namespace strata::models
