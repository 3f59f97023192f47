// SPDX-License-Identifier: Apache-2.0
#include "app/whole_start.hpp"

#include <fmt/format.h>

#include "app/start_weights.hpp"
#include "io/safetensors/safetensors.hpp"
#include "parallel/comm/local.hpp"
#include "strata/io/text.hpp"

namespace strata::app {

WholeStart::WholeStart(const std::string& path) : path_(path) {
  if (path.ends_with(".safetensors")) return;
  alone_ = comm::make_local(nullptr, "start");
  checkpoint_ = open_named_checkpoint(*alone_, path, false);
}

std::optional<VocabularyFile> WholeStart::vocabulary() const {
  const std::string name = "the vocabulary of " + io::printable(path_, 400);
  if (checkpoint_.stored) return VocabularyFile{name, checkpoint_text(*checkpoint_.stored, kVocabularyText)};
  const io::SafetensorsFile file(path_);
  const auto at = file.metadata().find("vocabulary");
  if (at == file.metadata().end()) return {};
  return VocabularyFile{name, at->second};
}

std::vector<std::string> WholeStart::load(Context& ctx, objectives::ImageTextObjective& objective,
                                          models::HlipVisualEncoder& visual, models::BertTextEncoder& text) const {
  if (!checkpoint_.stored) return start_from_published(ctx, objective, visual, text, path_, true);
  const bool averaged = engine::has_averages(*checkpoint_.stored);
  engine::load_weights(ctx, *checkpoint_.stored, objective, averaged);
  return {fmt::format("all weights{} from {}", averaged ? ", averaged," : "",
                      io::printable(checkpoint_.stored->path(), 400))};
}

}  // namespace strata::app
