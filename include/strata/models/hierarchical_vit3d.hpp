// SPDX-License-Identifier: Apache-2.0
//
// The HLIP visual encoder (arXiv 2505.21862): a ViT over whole studies whose blocks attend within a slice, a scan or a
// study. Forward mathematics and parameter names equal the published ones (visual.trunk.…, visual.head.proj.weight).
// The type that a model is made with is its arithmetic: f32, f64, or bf16 for mixed precision (strata/nn/layers.hpp).
#pragma once

#include <map>

#include "strata/models/model.hpp"

namespace strata::models {

enum class Head : std::uint8_t {
  cls,      // class token -> linear
  dinotxt,  // each prefix token ‖ mean of all patch tokens -> linear 2C -> width: as many embeddings a study as prefix
            // tokens
};

struct HierarchicalVit3dConfig {
  std::string name = "custom";
  std::array<std::int64_t, 3> image{48, 224, 224};  // D, H, W that the position table is made for
  std::array<std::int64_t, 3> patch{8, 16, 16};
  std::int64_t channels = 1, width = 768, depth = 12, heads = 12, mlp_ratio = 4;
  std::int64_t max_scans = 40;  // rows of the sequential table; 1: one scan a study; 0: any number, no table
  std::int64_t register_tokens = 0;
  std::int64_t joint_width = 512;
  Head head = Head::cls;
  std::vector<std::int64_t> slice_blocks, scan_blocks, study_blocks;
  // Voxels are standardised, each place of the grid by itself, with buffers that the training studies give
  // (engine/voxel_statistics.hpp): of heads or chests in one pose on one grid, what is everywhere the same goes away
  // and what differs is left. Without it, a small tower from scratch sees lesions as small changes of large constants.
  bool standardise_voxels = false;
  double norm_epsilon = 1e-6;
  double drop_path = 0;      // of the last block; linear from 0 over depth
  double patch_dropout = 0;  // in training

  std::array<std::int64_t, 3> grid() const;
  nn::Level level(std::int64_t block) const;
  void validate() const;  // usage error naming the field
};

// Published variants and the newer ones by name; unknown: usage error with the nearest name.
HierarchicalVit3dConfig hierarchical_vit3d_variant(const std::string& name);
std::vector<std::string> hierarchical_vit3d_variants();

class HierarchicalVit3d final : public nn::Module {
 public:
  HierarchicalVit3d(const Context& ctx, DType dtype, const HierarchicalVit3dConfig& config);

  nn::Tokens embed(Tape& tape, const Variable& scans, const StudyBatch& batch, nn::StudyLayoutPtr layout);
  nn::Tokens block(Tape& tape, const nn::Tokens& tokens, std::size_t index);
  nn::Tokens to_study(Tape& tape, const nn::Tokens& tokens);
  nn::Tokens features(Tape& tape, const StudyBatch& batch,
                      nn::StudyLayoutPtr layout);  // all tokens at study level after the last norm

  // Regroup i stands before block i, the last one behind them all. A plan may replace them.
  nn::Regroup& regroup(std::size_t i) { return *regroups_.at(i); }
  void set_regroup(std::size_t i, std::unique_ptr<nn::Regroup> regroup);

  const HierarchicalVit3dConfig& config() const { return config_; }
  std::int64_t prefix() const { return 1 + config_.register_tokens; }

  nn::ParameterPtr cls_token, reg_token;  // [1, 1, C], [1, R, C] or null
  // [channels, D, H, W] or null, f32 buffers: an input x becomes x · voxel_scale + voxel_shift. 1 and 0 at first.
  nn::ParameterPtr voxel_scale, voxel_shift;
  nn::Position3d position;
  nn::PatchEmbed3d patch_embed;
  std::vector<std::unique_ptr<nn::Block>> blocks;
  nn::LayerNorm norm;

 private:
  std::vector<std::unique_ptr<nn::Regroup>> regroups_;
  HierarchicalVit3dConfig config_;
};

class HlipVisualEncoder final : public VisualEncoder {
 public:
  HlipVisualEncoder(const Context& ctx, DType dtype, const HierarchicalVit3dConfig& config);

  StudyBatch choose(Tape& tape, const StudyBatch& batch) const override;
  StudyBatch prepare(Tape& tape, const StudyBatch& batch) const override;
  nn::StudyPlanPtr plan(const autograd::Mode& mode, const StudyBatch& batch) const override;
  std::vector<Stage> chain(const StudyBatch& batch, const nn::StudyLayout& layout) override;
  std::int64_t embeddings_a_study() const override;
  std::int64_t embedding_width() const override { return trunk.config().joint_width; }

  HierarchicalVit3d trunk;
  nn::Linear head_proj;

 private:
  nn::Tokens head(Tape& tape, const nn::Tokens& tokens);
  double block_flops(const nn::StudyLayout& layout, nn::Level level) const;
};

// Starts a trunk from a 2-D MAE ViT (timm names: cls_token, pos_embed, patch_embed.proj.*, blocks.*, norm.*; host
// tensors): patch kernel resized bicubically to (ph, pw), summed over its channels, repeated pd times and divided by
// pd; the position table's first row is added to the class token, the rest resized bicubically (antialiased), plus 1-D
// sin-cos over d. Returns the names it did not use (decoder, classifier). A missing or misshapen tensor: data error.
std::vector<std::string> initialise_from_mae2d(Context& ctx, HierarchicalVit3d& trunk,
                                               const std::map<std::string, Tensor>& weights);

}  // namespace strata::models
