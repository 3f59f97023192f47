// SPDX-License-Identifier: Apache-2.0
//
// Contrastive losses between an image and a text embedding a study, over the global batch of all ranks and
// micro-batches: CLIP (Radford et al., arXiv 2103.00020, figure 3) and SigLIP (Zhai et al., arXiv 2303.15343, eq. 1).
// They give the loss and the gradients of the features, not a tape node: a step encodes all micro-batches first, forms
// the loss once, and then runs forward and backward a micro-batch at a time with these gradients (gradient caching, Gao
// et al., arXiv 2101.06983).
//
// Memory O(rows · width): logits exist block_rows rows at a time. Each rank computes the gradients of its own rows
// against everybody's, so nothing but features, log-sum-exps and scalars crosses ranks. Six products of b · G · C a
// direction pair (CLIP), four (SigLIP).
#pragma once

#include "strata/objectives/global_batch.hpp"

namespace strata::objectives {

struct ContrastiveOptions {
  std::int64_t block_rows = 1024;  // of logits that exist at a time
};

// Gradients are this rank's share: those of its own rows are whole, those of the scalars add up over ranks.
struct ContrastiveLoss {
  Tensor loss;         // scalar, of the whole batch; the same on every rank
  Tensor image, text;  // [b, C]: gradients of the features as given
  Tensor logit_scale;  // scalar: gradient of the logarithm of the scale
  Tensor logit_bias;   // scalar; undefined for CLIP
};

// image, text [b, C] of this rank's studies, row i of both of one study, not normalised; f32 or f64. logits =
// exp(logit_scale) · Î·T̂ᵀ; the loss is the mean over G rows of the cross-entropies image → text and text → image,
// halved. Collective over `batch`.
ContrastiveLoss clip_loss(Context& ctx, GlobalBatch& batch, const Tensor& image, const Tensor& text,
                          const Tensor& logit_scale, const ContrastiveOptions& options = {});

// logits = exp(logit_scale) · Î·T̂ᵀ + logit_bias; the loss is the sum over all pairs of ln(1 + exp(−z·logit)), z = 1 for
// the pair of one study and −1 for the others, divided by G.
ContrastiveLoss siglip_loss(Context& ctx, GlobalBatch& batch, const Tensor& image, const Tensor& text,
                            const Tensor& logit_scale, const Tensor& logit_bias,
                            const ContrastiveOptions& options = {});

}  // namespace strata::objectives
