// SPDX-License-Identifier: Apache-2.0
#include "strata/models/model.hpp"

#include <fmt/format.h>

#include "strata/base/error.hpp"

namespace strata::models {
namespace {

void check(const StudyBatch& batch) {
  STRATA_CHECK(batch.scans.defined() && batch.scans.ndim() == 5, usage, "study batch",
               "scans must be [S, channels, D, H, W]");
  STRATA_CHECK(batch.study_offsets.size() >= 2 && batch.study_offsets.back() == batch.scans.dim(0), data, "study batch",
               fmt::format("study offsets end at {} but there are {} scans",
                           batch.study_offsets.empty() ? 0 : batch.study_offsets.back(), batch.scans.dim(0)));
}

}  // namespace

Variable VisualEncoder::forward(Tape& tape, const StudyBatch& given) {
  check(given);
  const StudyBatch batch = prepare(tape, given);
  const nn::StudyLayoutPtr layout = this->layout(tape, batch);
  nn::Tokens tokens{tape.constant(batch.scans), layout, nn::Level::scan};
  for (const auto& stage : chain(batch, *layout)) tokens = stage.run(tape, tokens);
  if (embeddings_a_study() == 1) return tokens.rows;
  return tape.reshape(tokens.rows, {batch.studies(), embeddings_a_study(), embedding_width()});
}

double forward_flops(const std::vector<Stage>& chain) {
  double sum = 0;
  for (const auto& stage : chain) sum += stage.forward_flops;
  return sum;
}

}  // namespace strata::models
