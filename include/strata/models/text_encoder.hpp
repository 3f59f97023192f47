// SPDX-License-Identifier: Apache-2.0
//
// What the engine sees of a text model: packed texts go in, one embedding a text comes out, and the way is an ordered
// chain of stages that a pipeline may cut, as with image models (strata/models/model.hpp). Texts are packed by offsets:
// each keeps its own length, no padding is computed.
#pragma once

#include "strata/models/model.hpp"

namespace strata::models {

// A micro-batch of texts as a tokenizer gives them: text i owns pieces [offsets[i], offsets[i+1]).
struct TextBatch {
  std::vector<std::int32_t> ids;         // [T] numbers of pieces, [CLS] … [SEP] of each text
  std::vector<std::int64_t> offsets{0};  // [n+1]
  std::vector<std::int64_t> ordinals;    // [n] of the texts' studies (StudyBatch); what random numbers are keyed by
  std::vector<std::int64_t> parts;       // [n] which text of its study, or empty: 0
  std::vector<std::int32_t> types;       // [T] token types, or empty: 0

  std::int64_t texts() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  void add(const std::vector<std::int32_t>& text, std::int64_t ordinal);
};

// No texts, an empty text, or counts that disagree: an error that says which.
void check(const TextBatch& batch);

// A batch on the device, for its stages to look at.
struct TextLayout {
  nn::Sequences sequences;
  Tensor ids, positions, types;  // i32 [T]
};

using TextLayoutPtr = std::shared_ptr<const TextLayout>;

class TextEncoder : public nn::Module {
 public:
  // Batch -> [n, width], f32 or wider; not normalised.
  Variable forward(Tape& tape, const TextBatch& batch);
  Variable forward(Tape& tape, const TextLayoutPtr& layout);  // of a batch

  // A piece or a type outside its table, a text longer than the positions reach: data error naming the text.
  virtual TextLayoutPtr layout(const Context& ctx, const TextBatch& batch) const = 0;
  // The first stage takes the layout's ids as rows; the last returns embeddings [n, width]. Tokens::layout stays empty.
  virtual std::vector<Stage> chain(const TextLayoutPtr& layout) = 0;
  virtual std::int64_t embedding_width() const = 0;
};

}  // namespace strata::models
