// SPDX-License-Identifier: Apache-2.0
//
// What the engine sees of an image model: a packed batch goes in, one embedding (or a few) a study comes out, and the
// way is an ordered chain of stages that a pipeline may cut. Models know no ranks, devices or files.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "strata/nn/tokens.hpp"

namespace strata::models {

using autograd::Tape;
using autograd::Variable;

// A micro-batch of whole studies, packed: study b owns scans [study_offsets[b], study_offsets[b+1]).
struct StudyBatch {
  Tensor scans;                             // [S, channels, D, H, W] u8, i16 or floating, on the device
  std::vector<std::int64_t> study_offsets;  // [B+1]
  std::vector<std::int64_t> ordinals;       // [B] epoch · n + index; what random numbers are keyed by
  std::vector<std::int64_t>
      scan_positions;           // [S] rows of the sequential table, or empty: drawn in training, 0 … N−1 otherwise
  double scale = 1, shift = 0;  // a stored value v enters the model as v·scale + shift

  std::int64_t studies() const { return static_cast<std::int64_t>(study_offsets.size()) - 1; }
};

// Offsets from 0 to S without falling, one ordinal a study, positions for all scans or none: an error that says what
// disagrees otherwise.
void check(const StudyBatch& batch);

// The published intensity normalisation, (x − 0.449) / 0.226 of a value x in [0, 1], for values stored in [0,
// `full_scale`] (255 for u8).
void normalise_intensity(StudyBatch& batch, double full_scale);

// Studies with more scans than `limit` keep a keyed subset of them, in their order (training with a bounded position
// table).
StudyBatch select_scans(const Context& ctx, const StudyBatch& batch, std::int64_t limit, std::uint64_t seed);

// Each place of the grid by itself: what enters the model, x = v·scale + shift, becomes x · voxel_scale + voxel_shift,
// both f32 [channels, D, H, W] on the device. Scans of another grid: usage error.
StudyBatch standardise_voxels(const Context& ctx, const StudyBatch& batch, const Tensor& voxel_scale,
                              const Tensor& voxel_shift);

struct Stage {
  std::string name;  // path of the module: "trunk.blocks.0"
  // Tokens in, tokens out; what crosses from one stage to the next is `rows`, the layout is known to all. The first
  // stage takes the batch's scans as rows; the last returns embeddings [B·e, width], e a study.
  std::function<nn::Tokens(Tape&, const nn::Tokens&)> run;
  double forward_flops = 0;
};

class VisualEncoder : public nn::Module {
 public:
  // Batch -> [B, width] or, for heads with several embeddings a study, [B, e, width]; not normalised.
  Variable forward(Tape& tape, const StudyBatch& batch);
  // The same, of what `choose` and `layout` made of a batch.
  Variable forward(Tape& tape, const StudyBatch& chosen, const nn::StudyLayoutPtr& layout);

  virtual StudyBatch choose(Tape& tape, const StudyBatch& batch) const {  // scans that the tower takes
    (void)tape;
    return batch;
  }
  // What the device does to voxels before the first stage.
  virtual StudyBatch prepare(Tape& tape, const StudyBatch& batch) const {
    (void)tape;
    return batch;
  }
  virtual nn::StudyPlanPtr plan(const autograd::Mode& mode, const StudyBatch& chosen) const = 0;
  nn::StudyLayoutPtr layout(const Tape& tape, const StudyBatch& chosen) const;  // of its plan
  virtual std::vector<Stage> chain(const StudyBatch& batch, const nn::StudyLayout& layout) = 0;
  virtual std::int64_t embeddings_a_study() const { return 1; }
  virtual std::int64_t embedding_width() const = 0;
};

// FLOPs of one forward pass: 2·m·n·k a product, 4·Tq·Tk·C attention. Backward costs twice that; recomputation is not
// counted.
double forward_flops(const std::vector<Stage>& chain);

}  // namespace strata::models
