// SPDX-License-Identifier: Apache-2.0
//
// An evaluation as people and programs read it: a table, a JSON document, a CSV of every study's scores. What the
// numbers mean stands in docs/evaluation.md.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "strata/engine/zero_shot_report.hpp"

namespace strata::app {

struct RetrievalReport {
  std::int64_t studies = 0, identical_reports = 0;
  double loss = 0;
  std::int64_t loss_batch = 0;
  struct Recall {
    std::int64_t k;
    double image_to_text, text_to_image;
  };
  std::vector<Recall> recalls;
};

struct EvalReport {
  std::string label_set;
  std::vector<std::pair<std::string, std::string>> origin;  // "checkpoint", "data", ...: for the JSON document
  std::vector<std::string> sets;                            // of EncodedStudies::sets
  std::int64_t step = 0, studies = 0;
  double seconds = 0;
  std::vector<engine::TaskScores> scores;
  std::vector<engine::TaskReport> tasks;
  std::optional<RetrievalReport> retrieval;  // of the studies that have reports
};

std::string table_of(const EvalReport& report);
std::string json_of(const EvalReport& report);
// A row a study: set, key, then score, label (empty: not known) and prediction of each class.
std::string predictions_of(const EvalReport& report, std::size_t task, const engine::EncodedStudies& studies);
// "predictions.csv", or of several tasks "predictions_<task>.csv".
std::string predictions_name(const EvalReport& report, std::size_t task);

}  // namespace strata::app
