// SPDX-License-Identifier: Apache-2.0
//
// From a loader's batch (host memory, sentences) to what an objective takes (device, pieces of words).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "strata/data/batch.hpp"
#include "strata/objectives/objective.hpp"
#include "strata/text/wordpiece.hpp"

namespace strata::engine {

enum class ReportPart : std::uint8_t {
  report,      // all sentences
  findings,    // those before a heading IMPRESSION, CONCLUSION or OPINION; the report where there is none
  impression,  // those from it on; the report where there is none
};

ReportPart parse_report_part(std::string_view name);  // unknown: usage error with the nearest one
std::vector<std::string> part_of(const std::vector<std::string>& sentences, ReportPart part);

// What training does with the sentences of a part, drawn anew for each ordinal. The loader must then leave them in
// their order, or headings lose what follows them.
struct SentenceDraws {
  std::uint64_t seed = 0;
  bool shuffle = true;
  // Each sentence is left out with this probability; one stays at least. Short texts are what zero-shot prompts are
  // (ConVIRT, Zhang et al. 2022, draws one sentence a report).
  double dropout = 0;
};

// A text is the prefix and the sentences of a part of the report, with blanks between them.
struct TextReading {
  std::shared_ptr<const text::WordPieceTokenizer> tokenizer;  // null: no texts
  std::int64_t context = 256;                                 // most pieces, [CLS] and [SEP] included
  std::string prefix;
  std::vector<ReportPart> parts{ReportPart::report};  // one text each
  std::optional<SentenceDraws> draws{};               // none: all sentences in their order
};

// Uploads voxels with the published intensity normalisation and makes the texts. An empty batch: an empty result.
objectives::MicroBatch micro_batch(const Context& ctx, const data::Batch& batch, const TextReading& reading);
// The same of voxels that are on the device, or on their way to it. `batch` has studies.
objectives::MicroBatch micro_batch(Tensor scans, const data::Batch& batch, const TextReading& reading);

}  // namespace strata::engine
