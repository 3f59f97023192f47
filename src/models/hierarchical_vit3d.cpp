// SPDX-License-Identifier: Apache-2.0
#include "strata/models/hierarchical_vit3d.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"
#include "strata/ops/concat.hpp"
#include "strata/ops/regroup.hpp"

namespace strata::models {
namespace {

const HierarchicalVit3dConfig& validated(const HierarchicalVit3dConfig& config) {
  config.validate();
  return config;
}

nn::ParameterPtr token(const Context& ctx, DType dtype, const char* name, std::int64_t count, std::int64_t width) {
  constexpr double kDeviation = 1e-6;  // as timm starts class and register tokens
  return std::make_shared<nn::Parameter>(name, ctx.zeros(ops::accumulation_type(dtype), {1, count, width}),
                                         std::vector<LogicalAxis>{{"prefix", count}, {"embed", width}},
                                         nn::Init::normal(kDeviation));
}

nn::ParameterPtr voxel_buffer(const Context& ctx, const char* name, const HierarchicalVit3dConfig& config,
                              double value) {
  const Shape shape{config.channels, config.image[0], config.image[1], config.image[2]};
  const std::vector<double> values(static_cast<std::size_t>(shape.numel()), value);
  return std::make_shared<nn::Parameter>(name, nn::tensor_from(ctx, DType::f32, shape, values),
                                         std::vector<LogicalAxis>{{"channel", config.channels},
                                                                  {"voxel_d", config.image[0]},
                                                                  {"voxel_h", config.image[1]},
                                                                  {"voxel_w", config.image[2]}},
                                         nn::Init::zeros(), nn::Role::buffer);
}

nn::Block::Options block_options(const HierarchicalVit3dConfig& config, std::int64_t index) {
  const double rate =
      config.depth > 1 ? config.drop_path * static_cast<double>(index) / static_cast<double>(config.depth - 1) : 0;
  return {config.width,        config.heads, config.mlp_ratio * config.width,
          config.norm_epsilon, rate,         static_cast<int>(index)};
}

}  // namespace

HierarchicalVit3d::HierarchicalVit3d(const Context& ctx, DType dtype, const HierarchicalVit3dConfig& config)
    : position(ctx, dtype, config.width, validated(config).grid(), config.max_scans),
      patch_embed(ctx, dtype, config.channels, {config.patch}, config.width),
      norm(ctx, dtype, config.width, config.norm_epsilon),
      config_(config) {
  cls_token = add(token(ctx, dtype, "cls_token", 1, config.width));
  if (config.register_tokens > 0) reg_token = add(token(ctx, dtype, "reg_token", config.register_tokens, config.width));
  if (config.standardise_voxels) {
    voxel_scale = add(voxel_buffer(ctx, "voxel_scale", config, 1));
    voxel_shift = add(voxel_buffer(ctx, "voxel_shift", config, 0));
  }
  add("", position);
  add("patch_embed", patch_embed);
  for (std::int64_t i = 0; i <= config.depth; ++i) regroups_.push_back(std::make_unique<nn::Regroup>());
  for (std::int64_t i = 0; i < config.depth; ++i) {
    blocks.push_back(std::make_unique<nn::Block>(ctx, dtype, block_options(config, i)));
    add(fmt::format("regroups.{}", i), *regroups_[static_cast<std::size_t>(i)]);
    add(fmt::format("blocks.{}", i), *blocks.back());
  }
  add(fmt::format("regroups.{}", config.depth), *regroups_.back());
  add("norm", norm);
}

void HierarchicalVit3d::set_regroup(std::size_t i, std::unique_ptr<nn::Regroup> regroup) {
  replace_child(*regroups_.at(i), *regroup);
  regroups_[i] = std::move(regroup);
}

nn::Tokens HierarchicalVit3d::embed(Tape& tape, const Variable& scans, const StudyBatch& batch,
                                    nn::StudyLayoutPtr layout) {
  const nn::Level level = config_.level(0);
  const Variable patches =
      patch_embed.forward(tape, scans, batch.scale, batch.shift, layout->kept());  // [patch tokens, C]
  const Variable placed = position.forward(tape, patches, *layout, batch.scan_positions);
  Variable prefix_rows = tape.reshape(tape.leaf(cls_token), {1, config_.width});
  if (reg_token)
    prefix_rows = tape.apply1(
        ops::Concat{0}, {prefix_rows, tape.reshape(tape.leaf(reg_token), {config_.register_tokens, config_.width})});
  const Variable offsets = tape.constant(layout->at(level).segments.device_offsets());
  return {tape.apply1(ops::JoinPrefix{}, {prefix_rows, placed, offsets}), std::move(layout), level};
}

nn::Tokens HierarchicalVit3d::block(Tape& tape, const nn::Tokens& tokens, std::size_t index) {
  nn::Tokens at = regroups_[index]->forward(tape, tokens, config_.level(static_cast<std::int64_t>(index)));
  nn::Block& block = *blocks[index];
  const nn::StudyLayoutPtr layout = at.layout;
  const nn::Level level = at.level;
  const Variable in[] = {at.rows};
  at.rows = tape.checkpoint("block", in,
                            [&block, layout, level](Tape& inner, Tape::Span x) {
                              return Tape::Variables{block.forward(inner, x[0], layout->at(level))};
                            })
                .front();
  return at;
}

nn::Tokens HierarchicalVit3d::to_study(Tape& tape, const nn::Tokens& tokens) {
  return regroups_.back()->forward(tape, tokens, nn::Level::study);
}

nn::Tokens HierarchicalVit3d::features(Tape& tape, const StudyBatch& batch, nn::StudyLayoutPtr layout) {
  nn::Tokens tokens = embed(tape, tape.constant(batch.scans), batch, std::move(layout));
  for (std::size_t i = 0; i < blocks.size(); ++i) tokens = block(tape, tokens, i);
  tokens = to_study(tape, tokens);
  return {norm.forward(tape, tokens.rows), tokens.layout, tokens.level};
}

}  // namespace strata::models
