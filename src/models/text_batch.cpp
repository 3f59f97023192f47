// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "strata/models/text_encoder.hpp"

namespace strata::models {

void TextBatch::add(const std::vector<std::int32_t>& text, std::int64_t ordinal) {
  ids.insert(ids.end(), text.begin(), text.end());
  offsets.push_back(offsets.back() + static_cast<std::int64_t>(text.size()));
  ordinals.push_back(ordinal);
}

void check(const TextBatch& batch) {
  const auto& offsets = batch.offsets;
  STRATA_CHECK(offsets.size() >= 2, data, "text batch", "the batch has no texts", "leave empty batches out");
  STRATA_CHECK(offsets.front() == 0 && offsets.back() == static_cast<std::int64_t>(batch.ids.size()), data,
               "text batch",
               fmt::format("offsets go from {} to {}, but there are {} pieces", offsets.front(), offsets.back(),
                           batch.ids.size()));
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    STRATA_CHECK(offsets[i] < offsets[i + 1], data, "text batch", fmt::format("text {} is empty", i),
                 "a tokenizer gives at least [CLS] and [SEP]");
  const auto texts = static_cast<std::size_t>(batch.texts());
  STRATA_CHECK(batch.ordinals.size() == texts, data, "text batch",
               fmt::format("{} ordinals for {} texts", batch.ordinals.size(), texts));
  STRATA_CHECK(batch.parts.empty() || batch.parts.size() == texts, data, "text batch",
               fmt::format("{} parts for {} texts", batch.parts.size(), texts));
  STRATA_CHECK(batch.types.empty() || batch.types.size() == batch.ids.size(), data, "text batch",
               fmt::format("{} token types for {} pieces", batch.types.size(), batch.ids.size()));
}

Variable TextEncoder::forward(Tape& tape, const TextBatch& batch) {
  check(batch);
  return forward(tape, layout(tape.ctx(), batch));
}

Variable TextEncoder::forward(Tape& tape, const TextLayoutPtr& layout) {
  nn::Tokens tokens{tape.constant(layout->ids), nullptr, nn::Level::scan};
  for (const auto& stage : chain(layout)) tokens = stage.run(tape, tokens);
  return tokens.rows;
}

}  // namespace strata::models
