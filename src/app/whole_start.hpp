// SPDX-License-Identifier: Apache-2.0
//
// `start_from` of a run: a whole model that a new one goes on from, both towers and the temperatures. A run's folder, a
// checkpoint (its averaged weights where it has some), or a .safetensors file under published names. Not collective:
// every rank reads for itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/named_checkpoint.hpp"
#include "app/text_weights.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/objectives/image_text.hpp"

namespace strata::app {

class WholeStart {
 public:
  explicit WholeStart(const std::string& path);

  std::optional<VocabularyFile> vocabulary() const;  // none: the file does not hold one
  // Everything the model has, or a data or checkpoint error that says what is missing. Notes for people.
  std::vector<std::string> load(Context& ctx, objectives::ImageTextObjective& objective,
                                models::HlipVisualEncoder& visual, models::BertTextEncoder& text) const;

 private:
  std::string path_;
  std::unique_ptr<comm::Communicator> alone_;
  NamedCheckpoint checkpoint_;  // empty for .safetensors
};

}  // namespace strata::app
