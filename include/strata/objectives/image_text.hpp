// SPDX-License-Identifier: Apache-2.0
//
// Language-image pre-training: an image tower over studies, a text tower over their reports, and a contrastive loss
// between the two (strata/objectives/contrastive.hpp). With an image tower that gives e embeddings a study (a dino.txt
// head with register tokens), each is contrasted with a text of its own and has a temperature of its own (the dual form
// for e = 2); the loss is their mean.
//
// Names are those of OpenCLIP: visual.…, text.…, logit_scale, logit_bias. The temperature of the second embedding is
// logit_scale_1, and so on.
#pragma once

#include <memory>
#include <vector>

#include "strata/models/text_encoder.hpp"
#include "strata/objectives/contrastive.hpp"
#include "strata/objectives/objective.hpp"

namespace strata::objectives {

enum class ContrastiveKind : std::uint8_t { clip, siglip };

struct ImageTextOptions {
  ContrastiveKind kind = ContrastiveKind::clip;
  double logit_scale = 2.6592600369327779;          // where it starts: ln(1/0.07); ln 10 is usual for SigLIP
  double logit_bias = -10;                          // SigLIP
  double largest_logit_scale = 4.6051701859880918;  // ln 100; clamped to [0, this] after each step
  ContrastiveOptions blocks{};
};

class ImageTextObjective final : public Objective {
 public:
  // Towers of one joint width, or a usage error with both.
  ImageTextObjective(const Context& ctx, std::unique_ptr<models::VisualEncoder> visual,
                     std::unique_ptr<models::TextEncoder> text, const ImageTextOptions& options);

  // Features: e image embeddings, then e text embeddings, each [B, C]; not normalised.
  std::vector<TensorSpec> features() const override;
  void prepare(Tape& tape, MicroBatch& batch) override;
  void place(const Context& ctx, MicroBatch& prepared) override;
  std::vector<Variable> encode(Tape& tape, const MicroBatch& batch) override;
  Outcome loss(Context& ctx, GlobalBatch& global, std::span<const Tensor> mine) override;
  Work work(const MicroBatch& placed) override;
  void after_step(Context& ctx) override;
  // The number alone: no gradient changes, so evaluation may ask between two halves of a step. Collective over
  // `global`.
  double loss_alone(Context& ctx, GlobalBatch& global, std::span<const Tensor> mine);

  models::VisualEncoder& visual() { return *visual_; }
  models::TextEncoder& text() { return *text_; }
  std::int64_t pairs() const { return visual_->embeddings_a_study(); }  // e
  const ImageTextOptions& options() const { return options_; }

  // The two halves of `encode`, for who wants one tower alone: e image embeddings; one text embedding.
  std::vector<Variable> encode_images(Tape& tape, const models::StudyBatch& studies);
  Variable encode_texts(Tape& tape, const models::TextBatch& texts);

  std::vector<nn::ParameterPtr> logit_scale, logit_bias;  // [pairs] each a scalar; no bias for CLIP

 private:
  std::vector<Variable> separated(Tape& tape, const Variable& embeddings, std::int64_t studies);
  ContrastiveLoss pair_loss(Context& ctx, GlobalBatch& global, std::span<const Tensor> mine, std::size_t pair);

  ImageTextOptions options_;
  std::unique_ptr<models::VisualEncoder> visual_;
  std::unique_ptr<models::TextEncoder> text_;
};

}  // namespace strata::objectives
