// SPDX-License-Identifier: Apache-2.0
//
// What is trained, as the engine sees it: a module that owns its towers, temperatures and buffers, turns a micro-batch
// into features, and judges the features of a whole step at once. So the same objective runs in one micro-batch, in
// many, and on many ranks:
//
//   forward all micro-batches       features = encode(tape, batch)      nothing recorded, but for the last one
//   once a step                     outcome = loss(ctx, global, all)    loss and gradients of the features
//   a micro-batch at a time         encode again, backward from the gradients
//
// (gradient caching, Gao et al., arXiv 2101.06983). Both passes draw the same numbers: they are functions of the seed
// and the studies' ordinals. An objective knows no ranks, files or schedules.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "strata/models/text_encoder.hpp"
#include "strata/objectives/global_batch.hpp"

namespace strata::objectives {

using autograd::Tape;
using autograd::Variable;

// A micro-batch of whole studies, on the device.
struct MicroBatch {
  models::StudyBatch studies;
  nn::StudyPlanPtr plan;      // Objective::prepare
  nn::StudyLayoutPtr layout;  // Objective::place
  // By kind, one text a study in the studies' order (`parts` tells kinds apart); empty where an objective reads none.
  std::vector<models::TextBatch> texts;
  std::vector<models::TextLayoutPtr> text_layouts;  // Objective::place
  Tensor labels;  // [B, L] f32 on the host, NaN: not known; undefined where the data have none
};

// Of the whole step, on all ranks.
struct Outcome {
  Tensor loss;                    // scalar; the same on every rank
  std::vector<Tensor> gradients;  // of each feature of this rank, as `encode` gives them; undefined: none wanted
  std::vector<std::pair<std::string, Tensor>> figures;  // scalars for people: "logit_scale", as they are before a step
};

// What a micro-batch costs: 2·m·n·k a product, 4·Tq·Tk·C attention; a step of training three times that.
struct Work {
  std::int64_t tokens = 0;  // patch tokens that enter the first block, pieces of words
  double forward_flops = 0;
};

class Objective : public nn::Module {
 public:
  // What `encode` gives for B studies; the first extent, B, is 0 here. A rank without studies in a round gives these.
  virtual std::vector<TensorSpec> features() const = 0;
  // The two steps before `encode`, which takes them itself where they were not taken. What the host has to do (choices
  // of scans, plans), so that it can be done while the device works on something else; only the tape's context and mode
  // count. Then layouts on the device.
  virtual void prepare(Tape& tape, MicroBatch& batch) = 0;
  virtual void place(const Context& ctx, MicroBatch& prepared) = 0;
  // Each [B, ...]. Data error for a micro-batch that lacks what the objective reads.
  virtual std::vector<Variable> encode(Tape& tape, const MicroBatch& batch) = 0;
  // `mine`: the features of all of this rank's studies of the step, one micro-batch behind the other; [0, ...] for
  // none. Adds this rank's share of the gradients of the objective's own parameters (temperatures) to their leaves:
  // shares add up over ranks. Collective over `global`.
  virtual Outcome loss(Context& ctx, GlobalBatch& global, std::span<const Tensor> mine) = 0;
  virtual Work work(const MicroBatch& placed) = 0;
  // Behind the optimizer's step: clamps, teachers.
  virtual void after_step(Context& ctx) { (void)ctx; }
};

}  // namespace strata::objectives
