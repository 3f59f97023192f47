// SPDX-License-Identifier: Apache-2.0
#include "strata/models/model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"

namespace strata::models {

void check(const StudyBatch& batch) {
  STRATA_CHECK(batch.scans.defined() && batch.scans.ndim() == 5, usage, "study batch",
               "scans must be [S, channels, D, H, W]");
  const auto& offsets = batch.study_offsets;
  STRATA_CHECK(offsets.size() >= 2, data, "study batch", "the batch has no studies", "leave empty batches out");
  STRATA_CHECK(offsets.front() == 0 && std::ranges::is_sorted(offsets), data, "study batch",
               "study offsets must begin with 0 and never fall");
  STRATA_CHECK(offsets.back() == batch.scans.dim(0), data, "study batch",
               fmt::format("study offsets end at {} but there are {} scans", offsets.back(), batch.scans.dim(0)));
  STRATA_CHECK(batch.ordinals.size() + 1 == offsets.size(), data, "study batch",
               fmt::format("{} ordinals for {} studies", batch.ordinals.size(), offsets.size() - 1));
  STRATA_CHECK(
      batch.scan_positions.empty() || static_cast<std::int64_t>(batch.scan_positions.size()) == batch.scans.dim(0),
      usage, "study batch",
      fmt::format("{} scan positions for {} scans", batch.scan_positions.size(), batch.scans.dim(0)));
}

Variable VisualEncoder::forward(Tape& tape, const StudyBatch& given) {
  check(given);
  const StudyBatch chosen = choose(tape, given);
  return forward(tape, chosen, layout(tape, chosen));
}

Variable VisualEncoder::forward(Tape& tape, const StudyBatch& chosen, const nn::StudyLayoutPtr& layout) {
  const StudyBatch batch = prepare(tape, chosen);
  nn::Tokens tokens{tape.constant(batch.scans), layout, nn::Level::scan};
  for (const auto& stage : chain(batch, *layout)) tokens = stage.run(tape, tokens);
  if (embeddings_a_study() == 1) return tokens.rows;
  return tape.reshape(tokens.rows, {batch.studies(), embeddings_a_study(), embedding_width()});
}

nn::StudyLayoutPtr VisualEncoder::layout(const Tape& tape, const StudyBatch& chosen) const {
  return std::make_shared<const nn::StudyLayout>(tape.ctx(), *plan(tape.mode(), chosen));
}

double forward_flops(const std::vector<Stage>& chain) {
  double sum = 0;
  for (const auto& stage : chain) sum += stage.forward_flops;
  return sum;
}

}  // namespace strata::models
