// SPDX-License-Identifier: Apache-2.0
//
// A language-image model as a run's configuration describes it, new or out of a checkpoint. What train, eval, embed and
// export all build on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/run_config.hpp"
#include "strata/comm/communicator.hpp"
#include "strata/engine/micro_batch.hpp"
#include "strata/io/checkpoint_store.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/objectives/image_text.hpp"
#include "strata/text/wordpiece.hpp"

namespace strata::app {

struct ImageTextModel {
  std::unique_ptr<objectives::ImageTextObjective> objective;  // owns both towers
  models::HlipVisualEncoder* images = nullptr;                // the objective's
  std::shared_ptr<const text::WordPieceTokenizer> tokenizer;
  std::string vocabulary;          // the file's contents, as checkpoints keep it
  std::vector<std::string> notes;  // what was read from where, and what of it was not used: for people, once a job
};

// Sizes, locks and settings, and with `weights` the values they start with: by seed, then text.weights, then
// model.start, whose file wins where it holds a text tower too, then start_from. `vocabulary`: contents, where the
// caller has them (a checkpoint's); empty: from the file. Not collective: every rank reads the files itself, which
// nobody writes.
ImageTextModel build_model(Context& ctx, const RunConfig& run, const std::string& vocabulary, bool weights);

// How reports become this model's texts, without shuffling.
engine::TextReading text_reading(const RunConfig& run, const ImageTextModel& model);

// `path`: a run's folder (its last checkpoint, or the best one with `best`), or one checkpoint. In evaluation the
// averaged weights are taken where there are some. Collective.
struct LoadedModel {
  RunConfig run;
  ImageTextModel model;
  std::int64_t step = 0;
  std::string path;
};
LoadedModel load_model(Context& ctx, comm::Communicator& world, const std::string& path, bool best);

}  // namespace strata::app
