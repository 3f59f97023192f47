// SPDX-License-Identifier: Apache-2.0
//
// What a safetensors file says of the model it holds, in its metadata: `config` (JSON: img, patch, dim, heads, depth,
// max_num_scans, reg_tokens, slice, scan, study; channels and mlp_ratio where they are not 1 and 4), `embedding_dim`
// and `head` (cls, dinotxt_dual) of the image tower, `text_config` (JSON, Hugging Face's keys) and `vocabulary` (the
// file's contents) of the text tower. Strings in and out; what stands in them is judged where a file is read
// (model_file.hpp).
#pragma once

#include <string>

#include "io/safetensors/safetensors.hpp"
#include "strata/models/bert_text_encoder.hpp"
#include "strata/models/hierarchical_vit3d.hpp"
#include "strata/text/wordpiece.hpp"

namespace strata::app {

void describe(io::SafetensorsMetadata& metadata, const models::HierarchicalVit3dConfig& config);

// Hugging Face's config.json and tokenizer_config.json.
std::string bert_description(const models::BertConfig& config, const text::WordPieceTokenizer& tokenizer);
std::string tokenizer_description(const text::WordPieceTokenizer& tokenizer, std::int64_t context);

}  // namespace strata::app
