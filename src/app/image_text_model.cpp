// SPDX-License-Identifier: Apache-2.0
#include "app/image_text_model.hpp"

#include <fmt/format.h>

#include "app/start_weights.hpp"
#include "app/text_weights.hpp"
#include "strata/base/error.hpp"

namespace strata::app {
namespace {

void check_parts(const RunConfig& run, const objectives::ImageTextObjective& objective) {
  const auto texts = static_cast<std::int64_t>(run.text.parts.size());
  STRATA_CHECK(
      texts == objective.pairs(), usage, "model",
      fmt::format("the image tower gives {} embeddings a study, text.parts names {} texts", objective.pairs(), texts),
      "name a text for each: text.parts=[findings, impression] for two");
}

void append(std::vector<std::string>& notes, std::vector<std::string> more) {
  notes.insert(notes.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

ImageTextModel build_model(Context& ctx, const RunConfig& run, const std::string& vocabulary, bool weights) {
  ImageTextModel model;
  const VocabularyFile pieces =
      vocabulary.empty() ? read_vocabulary(run.text) : VocabularyFile{"vocab.txt", vocabulary};
  model.vocabulary = pieces.contents;
  model.tokenizer = std::make_shared<const text::WordPieceTokenizer>(
      text::WordPieceTokenizer::from_contents(pieces.name, pieces.contents));

  auto visual = std::make_unique<models::HlipVisualEncoder>(ctx, run.dtype, visual_config(run.model));
  auto text = std::make_unique<models::BertTextEncoder>(
      ctx, run.dtype, text_config(run.text, model.tokenizer->vocabulary().size(), visual->embedding_width()));
  if (run.text.locked) text->lock(run.text.free_layers, run.text.norms_train);
  models::HlipVisualEncoder& images = *visual;
  models::BertTextEncoder& texts = *text;
  model.objective = std::make_unique<objectives::ImageTextObjective>(ctx, std::move(visual), std::move(text),
                                                                     objective_options(run.objective));
  check_parts(run, *model.objective);
  if (!weights) return model;

  nn::initialise(ctx, *model.objective, run.seed);
  if (!run.text.weights.empty()) append(model.notes, load_text_weights(ctx, texts, run.text.weights));
  if (run.model.start == Start::mae2d) append(model.notes, start_from_mae2d(ctx, images, run.model.weights));
  if (run.model.start == Start::weights)
    append(model.notes, start_from_published(ctx, *model.objective, images, texts, run.model.weights));
  return model;
}

}  // namespace strata::app
