// SPDX-License-Identifier: Apache-2.0
#include "app/image_text_model.hpp"

#include <fmt/format.h>

#include "app/start_weights.hpp"
#include "app/text_weights.hpp"
#include "app/whole_start.hpp"
#include "strata/base/error.hpp"
#include "strata/base/text.hpp"

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

text::WordPieceTokenizer tokenizer_of(const VocabularyFile& file) {
  return text::WordPieceTokenizer::from_contents(file.name, file.contents);
}

// A model that goes on from a whole one keeps its pieces.
VocabularyFile vocabulary_of(const RunConfig& run, const std::optional<WholeStart>& start) {
  if (!start) return read_vocabulary(run.text);
  const auto theirs = start->vocabulary();
  if (run.text.vocabulary.empty()) {
    STRATA_CHECK(theirs.has_value(), usage, "vocabulary",
                 fmt::format("{} holds no vocabulary", printable(run.start_from, 400)),
                 "name the one it was trained with as text.vocabulary");
    return *theirs;
  }
  VocabularyFile ours = read_vocabulary(run.text);
  STRATA_CHECK(!theirs || tokenizer_of(*theirs).vocabulary().pieces() == tokenizer_of(ours).vocabulary().pieces(),
               usage, "vocabulary",
               fmt::format("{} has other pieces than {} was trained with", printable(run.text.vocabulary, 400),
                           printable(run.start_from, 400)),
               "leave text.vocabulary empty");
  return ours;
}

}  // namespace

ImageTextModel build_model(Context& ctx, const RunConfig& run, const std::string& vocabulary, bool weights) {
  ImageTextModel model;
  std::optional<WholeStart> start;
  if (!run.start_from.empty() && (weights || vocabulary.empty())) start.emplace(run.start_from);
  const VocabularyFile pieces =
      vocabulary.empty() ? vocabulary_of(run, start) : VocabularyFile{"vocab.txt", vocabulary};
  model.vocabulary = pieces.contents;
  model.tokenizer = std::make_shared<const text::WordPieceTokenizer>(tokenizer_of(pieces));

  auto visual = std::make_unique<models::HlipVisualEncoder>(ctx, run.dtype, visual_config(run.model));
  auto text = std::make_unique<models::BertTextEncoder>(
      ctx, run.dtype, text_config(run.text, model.tokenizer->vocabulary().size(), visual->embedding_width()));
  if (run.text.locked) text->lock(run.text.free_layers, run.text.norms_train);
  models::HlipVisualEncoder& images = *visual;
  model.images = visual.get();
  models::BertTextEncoder& texts = *text;
  model.objective = std::make_unique<objectives::ImageTextObjective>(ctx, std::move(visual), std::move(text),
                                                                     objective_options(run.objective));
  check_parts(run, *model.objective);
  if (!weights) return model;

  nn::initialise(ctx, *model.objective, run.seed);
  if (!run.text.weights.empty()) append(model.notes, load_text_weights(ctx, texts, run.text.weights));
  if (run.model.start == Start::mae2d) append(model.notes, start_from_mae2d(ctx, images, run.model.weights));
  if (run.model.start == Start::weights)
    append(model.notes, start_from_published(ctx, *model.objective, images, texts, run.model.weights, false));
  if (start) append(model.notes, start->load(ctx, *model.objective, images, texts));
  return model;
}

engine::TextReading text_reading(const RunConfig& run, const ImageTextModel& model) {
  engine::TextReading reading;
  reading.tokenizer = model.tokenizer;
  reading.context = run.text.context;
  reading.prefix = run.text.prefix;
  reading.parts = report_parts(run.text);
  return reading;
}

}  // namespace strata::app
