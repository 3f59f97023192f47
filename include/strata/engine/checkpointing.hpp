// SPDX-License-Identifier: Apache-2.0
//
// A training's state to a checkpoint store and back: parameters and buffers (the masters), the optimizer's moments and
// step counts, averaged weights, and what no tensor says (the step, the loader's two integers, the score: facts.json).
// What for: stopping and going on as if nothing had happened, on the same number of ranks or another; weights for
// evaluation and export. When not: handing weights to other programs (safetensors).
//
// Resume is bit-identical for the same ranks, threads, instruction set and build, and warns where one of them differs:
// then the same samples come in the same order, but sums may round differently.
//
// Cost: saving and reading move every byte once; resume holds one more copy of the masters for a moment. Everything
// that takes a Context is collective over the store's group, and waits; failures are the same on all ranks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "strata/data/loader.hpp"
#include "strata/io/checkpoint_store.hpp"
#include "strata/nn/module.hpp"
#include "strata/optim/ema.hpp"
#include "strata/optim/optimizer.hpp"

namespace strata::engine {

// All that a checkpoint knows beside its tensors and texts: facts.json.
struct TrainingFacts {
  std::int64_t step = 0;             // steps done; the next is this one
  data::LoaderState loader = {};     // where its samples begin
  std::uint64_t seed = 0;            // of every draw
  std::int64_t studies = 0;          // trained on so far
  double seconds = 0;                // trained so far
  std::optional<double> score = {};  // of this step's evaluation
  std::string score_name = {};       // "eval/auroc"

  // What bits depend on. Empty or 0: not known, and not compared.
  int ranks = 0, threads = 0;
  std::string plan = {};                 // how the ranks share the work: "data 8"
  std::string backend = {}, dtype = {};  // "cpu", "bf16"
  std::string instruction_set = {};      // "avx2"
  std::string build = {};                // version and commit
  bool operator==(const TrainingFacts&) const = default;
};

inline constexpr const char* kFactsText = "facts.json";

std::string facts_to_json(const TrainingFacts& facts);
TrainingFacts facts_from_json(const std::string& json, const std::string& where);  // not facts: checkpoint error

struct CheckpointingOptions {
  std::int64_t keep = 2;     // last checkpoints that stay, beside the best; 0: all
  bool highest_best = true;  // of scores; false: the lowest
  bool warns = true;         // this rank says what others would say, too (rank 0)
};

class Checkpointing {
 public:
  // All outlive it. `averages` may be null. Reads the scores of the checkpoints that the store holds. Collective.
  Checkpointing(io::CheckpointStore& store, const nn::Module& model, optim::Optimizer& optimizer, optim::Ema* averages,
                CheckpointingOptions options = {});

  // Then removes what need not stay, and the checkpoints of later steps that a resume from an earlier one left behind.
  // `now` says where and how this run is; `texts` goes beside facts.json. While averages stand in the model: usage
  // error.
  void save(Context& ctx, const TrainingFacts& now, const io::CheckpointTexts& texts);

  // Into model, optimizer and averages, freshly built. Without a step: the newest that is whole; each damaged one is
  // warned of and passed over. No checkpoint at all: nothing. A checkpoint of another model, optimizer or type: one
  // checkpoint error that says what differs; nothing has been changed then (damage may be found when some of it has).
  // `now` is how this run is made: what differs in it from the checkpoint's facts is warned of.
  std::optional<TrainingFacts> resume(Context& ctx, const TrainingFacts& now, std::optional<std::int64_t> step = {});

  // Of what was resumed or saved last.
  const io::CheckpointTexts& texts() const { return texts_; }
  std::optional<std::int64_t> best_step() const;  // with the best score among those that stand

 private:
  struct Fresh;  // a state to read into

  StateDict training_state(Context& ctx) const;
  Fresh fresh_state(Context& ctx) const;
  void read_scores();
  std::optional<TrainingFacts> resume_newest(Context& ctx);
  TrainingFacts check_fits(const io::StoredCheckpoint& stored, const Fresh& fresh) const;
  void take(Context& ctx, const io::StoredCheckpoint& stored, const Fresh& fresh);
  void prune(std::int64_t saved);
  void remove(std::int64_t step);

  io::CheckpointStore& store_;
  const nn::Module& model_;
  optim::Optimizer& optimizer_;
  optim::Ema* averages_;
  CheckpointingOptions options_;
  io::CheckpointTexts texts_;
  std::map<std::int64_t, std::optional<double>> scores_;  // by step, of those that stand
  std::vector<std::int64_t> abandoned_;                   // later than the one that was resumed
};

// Parameters and buffers of a model from a checkpoint, converted to the model's floating types: for evaluation and
// export. `averaged`: the averages instead of the weights; a checkpoint without them: usage error. A checkpoint of
// another model: checkpoint error, as above. Collective.
void load_weights(Context& ctx, const io::StoredCheckpoint& stored, const nn::Module& model, bool averaged);
bool has_averages(const io::StoredCheckpoint& stored);

}  // namespace strata::engine
