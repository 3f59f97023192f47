// SPDX-License-Identifier: Apache-2.0
//
// What a trainer asks every n steps, of studies it does not train on: the loss, how well images and reports find each
// other, and, with a label set, zero-shot AUROC. Everything is encoded once, in evaluation mode, on all ranks together;
// the numbers are then the same on every rank, and on any number of ranks. docs/evaluation.md defines each.
//
// Costs a forward pass of both towers over the held-out studies, n²·C for the retrieval (shared by the ranks), and the
// host memory of the features.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "strata/engine/zero_shot.hpp"
#include "strata/metrics/retrieval.hpp"

namespace strata::engine {

struct EvaluationOptions {
  std::int64_t loss_batch = 0;  // studies that a loss compares; 0: the loader's batch
  std::vector<std::int64_t> recall_at{1, 5, 10};
};

struct Evaluation {
  // "eval/loss"
  // "eval/recall@1/image_to_text", "eval/recall@1/text_to_image", and so for each k
  // "eval/auroc" (macro), "eval/auroc/ICH" ...; NaN where no study has both answers. Of label sets with several tasks
  // those of the first, and "eval/auroc/<task>", "eval/auroc/<task>/<class>" of each.
  std::vector<std::pair<std::string, double>> values;
  std::int64_t studies = 0;
  std::int64_t identical_reports = 0;  // studies whose report reads like another's: recall counts those as ties

  const double* find(const std::string& name) const;  // nullptr: not measured
};

// `held_out` is sequential and shares its ranks with `world`; it is rewound first. Gradients, the random draws of
// training and its loader stay as they are. Collective.
//
// The loss is the mean over consecutive groups of `loss_batch` studies, which is comparable with training's; studies
// behind the last full group are left out of it, unless there is none.
Evaluation evaluate(Context& ctx, objectives::ImageTextObjective& model, data::Loader& held_out,
                    const TextReading& reading, const ZeroShotSpec* zero_shot, comm::Communicator& world,
                    const EvaluationOptions& options = {});

// The parts, for who has encoded studies. Mean over consecutive groups, on every rank by itself.
double held_out_loss(Context& ctx, objectives::ImageTextObjective& model, const EncodedStudies& studies,
                     std::int64_t batch);

struct Retrieval {
  metrics::RetrievalPlaces places;  // image → text and text → image
  std::int64_t identical_reports = 0;
};
// By the mean cosine of the e pairs of embeddings. Collective.
Retrieval retrieve(const EncodedStudies& studies, comm::Communicator& world);

}  // namespace strata::engine
