// SPDX-License-Identifier: Apache-2.0
//
// A text tower out of somebody's files: a Hugging Face folder (config.json, model.safetensors, vocab.txt or
// tokenizer.json) or a .safetensors file. The configuration says what the tower is, the files must agree: a checkpoint
// has to build the same model without them.
#pragma once

#include <string>
#include <vector>

#include "app/run_config.hpp"
#include "strata/models/bert_text_encoder.hpp"

namespace strata::app {

struct VocabularyFile {
  std::string name, contents;  // a path, or what errors call it
};

// text.vocabulary, or what stands beside text.weights: tokenizer.json (which says more), else vocab.txt. Either may be
// a folder with such a file. None: usage error. A vocab.txt beside a tokenizer_config.json that asks for other settings
// than BERT's lower-cased ones: data error.
VocabularyFile read_vocabulary(const TextSettings& settings);

// Into the tower, with notes for people about what was not used. Sizes that disagree: data error that names them and
// the settings which fit.
std::vector<std::string> load_text_weights(Context& ctx, models::BertTextEncoder& tower, const std::string& path);

// `tensors` (host, f32) into the tower; `path` is what errors call them. The names that were not used.
models::BertNames assign_text_weights(Context& ctx, models::BertTextEncoder& tower, const std::string& path,
                                      const std::map<std::string, Tensor>& tensors);

}  // namespace strata::app
