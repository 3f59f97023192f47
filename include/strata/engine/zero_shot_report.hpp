// SPDX-License-Identifier: Apache-2.0
//
// Zero-shot scores judged by the labels: AUROC with its bootstrap interval, average precision, and what decisions at a
// threshold are worth. Definitions are those of strata/metrics; docs/evaluation.md tells them to people. Without
// intervals O(n log n) a class, with them resamples · n more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "strata/engine/zero_shot.hpp"
#include "strata/metrics/bootstrap.hpp"
#include "strata/metrics/classification.hpp"

namespace strata::engine {

struct Estimate {
  double value = 0;  // NaN: not defined for these studies
  std::optional<metrics::Interval> interval;
};

struct DecisionScores {
  double accuracy = 0, balanced_accuracy = 0, precision = 0, recall = 0, f1 = 0, weighted_f1 = 0;
};

// A class against its absence. In a task of exclusive classes its decision is whether it scores highest.
struct ClassReport {
  std::string name;
  std::int64_t positive = 0, negative = 0, unknown = 0;
  Estimate auroc;
  double average_precision = 0;
  std::optional<double> threshold;     // none where classes are exclusive
  metrics::ConfusionMatrix matrix{2};  // of the studies whose truth is known
  DecisionScores decisions;
};

struct TaskReport {
  std::string name;
  ZeroShotScore score = ZeroShotScore::prompts;
  std::int64_t studies = 0;
  std::vector<ClassReport> classes;
  // Means over the classes that have a value, decisions over those of which both answers occur; of exclusive classes
  // accuracy, balanced accuracy and F1 are those of the matrix of all classes.
  Estimate auroc, balanced_accuracy, weighted_f1;
  double average_precision = 0;
  DecisionScores decisions;
  std::optional<metrics::ConfusionMatrix> matrix;  // of exclusive classes
};

// What the scores decide, [n, k] of 1 and 0.
std::vector<std::uint8_t> decide(const TaskScores& scores);

// `bootstrap`: with intervals.
TaskReport judge(const TaskScores& scores, const std::optional<metrics::BootstrapOptions>& bootstrap);

}  // namespace strata::engine
