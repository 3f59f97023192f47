// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/zero_shot_report.hpp"

#include <algorithm>
#include <limits>

#include "strata/metrics/ranking.hpp"

namespace strata::engine {
namespace {

using metrics::ConfusionMatrix;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Of one class, over all studies of the task.
struct Column {
  std::vector<double> scores;        // [n]
  std::vector<std::int8_t> truths;   // [n] −1: not known
  std::vector<double> known_scores;  // of those known
  std::vector<std::uint8_t> positive;
};

Column column_of(const TaskScores& task, std::size_t at) {
  Column column;
  for (std::size_t i = at; i < task.scores.size(); i += task.classes.size()) {
    column.scores.push_back(task.scores[i]);
    column.truths.push_back(task.truths[i]);
    if (task.truths[i] < 0) continue;
    column.known_scores.push_back(task.scores[i]);
    column.positive.push_back(task.truths[i] == 1);
  }
  return column;
}

bool exclusive(const TaskScores& task) { return task.score == ZeroShotScore::classes; }

double threshold_of(const TaskScores& task, std::size_t at, const Column& column) {
  if (task.thresholds[at]) return *task.thresholds[at];
  return metrics::choose_threshold(task.rule, task.threshold_value, column.known_scores, column.positive);
}

std::int32_t highest(const TaskScores& task, std::size_t study) {
  const double* row = task.scores.data() + study * task.classes.size();
  return static_cast<std::int32_t>(std::max_element(row, row + task.classes.size()) - row);
}

DecisionScores scores_of(const ConfusionMatrix& matrix) {
  return {metrics::accuracy(matrix),
          metrics::balanced_accuracy(matrix),
          matrix.all() == 0 ? kNaN : metrics::precision(matrix, 1),
          matrix.all() == 0 ? kNaN : metrics::recall(matrix, 1),
          matrix.all() == 0 ? kNaN : metrics::f1(matrix, 1),
          metrics::averaged(matrix, metrics::Average::weighted).f1};
}

ClassReport report_of(const TaskScores& task, std::size_t at, const Column& column,
                      const std::vector<std::uint8_t>& decisions) {
  ClassReport report;
  report.name = task.classes[at];
  report.positive = std::ranges::count(column.truths, std::int8_t{1});
  report.negative = std::ranges::count(column.truths, std::int8_t{0});
  report.unknown = std::ranges::count(column.truths, std::int8_t{-1});
  report.auroc.value = metrics::auroc(column.known_scores, column.positive);
  report.average_precision = metrics::average_precision(column.known_scores, column.positive);
  if (!exclusive(task)) report.threshold = threshold_of(task, at, column);
  for (std::size_t i = 0; i < column.truths.size(); ++i)
    if (column.truths[i] >= 0) report.matrix.add(column.truths[i], decisions[i * task.classes.size() + at]);
  report.decisions = scores_of(report.matrix);
  return report;
}

double mean_of(const std::vector<ClassReport>& classes, const std::function<double(const ClassReport&)>& value) {
  std::vector<double> values;
  for (const auto& one : classes) values.push_back(value(one));
  return metrics::macro(values);
}

// Where one of the two answers is missing, decisions are right or wrong by luck.
DecisionScores mean_decisions(const std::vector<ClassReport>& classes) {
  const auto mean = [&](double DecisionScores::*value) {
    return mean_of(classes, [value](const ClassReport& one) {
      return one.positive > 0 && one.negative > 0 ? one.decisions.*value : kNaN;
    });
  };
  return {mean(&DecisionScores::accuracy),  mean(&DecisionScores::balanced_accuracy),
          mean(&DecisionScores::precision), mean(&DecisionScores::recall),
          mean(&DecisionScores::f1),        mean(&DecisionScores::weighted_f1)};
}

// The class that a study has, and the one that scores highest.
struct Judgement {
  std::int32_t truth, prediction;
};

std::vector<Judgement> judgements(const TaskScores& task) {
  std::vector<Judgement> result;
  const std::size_t k = task.classes.size();
  for (std::size_t i = 0; i < task.studies.size(); ++i) {
    const auto* row = task.truths.data() + i * k;
    result.push_back({static_cast<std::int32_t>(std::find(row, row + k, std::int8_t{1}) - row), highest(task, i)});
  }
  return result;
}

ConfusionMatrix matrix_of(const std::vector<Judgement>& judged, std::size_t classes,
                          std::span<const std::uint32_t> times = {}) {
  ConfusionMatrix matrix(static_cast<std::int64_t>(classes));
  for (std::size_t i = 0; i < judged.size(); ++i)
    matrix.add(judged[i].truth, judged[i].prediction, times.empty() ? 1 : std::int64_t{times[i]});
  return matrix;
}

DecisionScores exclusive_scores(const ConfusionMatrix& matrix) {
  const auto macro = metrics::averaged(matrix, metrics::Average::macro);
  return {metrics::accuracy(matrix),
          metrics::balanced_accuracy(matrix),
          macro.precision,
          macro.recall,
          macro.f1,
          metrics::averaged(matrix, metrics::Average::weighted).f1};
}

// Balanced accuracy and weighted F1 of a draw, thresholds as they are.
class ResampledDecisions {
 public:
  ResampledDecisions(const TaskScores& task, const std::vector<std::uint8_t>& decisions)
      : task_(task), decisions_(decisions) {
    if (exclusive(task)) judged_ = judgements(task);
  }

  std::pair<double, double> operator()(std::span<const std::uint32_t> times) const {
    if (exclusive(task_)) return of_matrix(matrix_of(judged_, task_.classes.size(), times));
    const std::size_t k = task_.classes.size();
    std::vector<double> balanced, weighted;
    for (std::size_t at = 0; at < k; ++at) {
      ConfusionMatrix matrix(2);
      for (std::size_t i = 0; i < times.size(); ++i)
        if (task_.truths[i * k + at] >= 0) matrix.add(task_.truths[i * k + at], decisions_[i * k + at], times[i]);
      if (matrix.truths(0) == 0 || matrix.truths(1) == 0) continue;
      const auto [b, w] = of_matrix(matrix);
      balanced.push_back(b);
      weighted.push_back(w);
    }
    return {metrics::macro(balanced), metrics::macro(weighted)};
  }

 private:
  static std::pair<double, double> of_matrix(const ConfusionMatrix& matrix) {
    return {metrics::balanced_accuracy(matrix), metrics::averaged(matrix, metrics::Average::weighted).f1};
  }

  const TaskScores& task_;
  const std::vector<std::uint8_t>& decisions_;
  std::vector<Judgement> judged_;
};

void add_intervals(TaskReport& report, const TaskScores& task, const std::vector<Column>& columns,
                   const std::vector<std::uint8_t>& decisions, const metrics::BootstrapOptions& options) {
  std::vector<metrics::ResampledAuroc> aurocs;
  for (const auto& column : columns) aurocs.emplace_back(column.scores, column.truths);
  const ResampledDecisions resampled(task, decisions);
  const std::size_t k = aurocs.size();
  const auto statistics = [&](std::span<const std::uint32_t> times, std::span<double> values) {
    for (std::size_t at = 0; at < k; ++at) values[at] = aurocs[at](times);
    values[k] = metrics::macro(values.first(k));
    std::tie(values[k + 1], values[k + 2]) = resampled(times);
  };
  const auto intervals = metrics::bootstrap(task.count(), static_cast<std::int64_t>(k) + 3, statistics, options);
  for (std::size_t at = 0; at < k; ++at) report.classes[at].auroc.interval = intervals[at];
  report.auroc.interval = intervals[k];
  report.balanced_accuracy.interval = intervals[k + 1];
  report.weighted_f1.interval = intervals[k + 2];
}

}  // namespace

std::vector<std::uint8_t> decide(const TaskScores& task) {
  const std::size_t k = task.classes.size();
  std::vector<std::uint8_t> result(task.scores.size());
  for (std::size_t i = 0; exclusive(task) && i < task.studies.size(); ++i)
    result[i * k + static_cast<std::size_t>(highest(task, i))] = 1;
  for (std::size_t at = 0; !exclusive(task) && at < k; ++at) {
    const double threshold = threshold_of(task, at, column_of(task, at));
    for (std::size_t i = at; i < result.size(); i += k) result[i] = task.scores[i] >= threshold;
  }
  return result;
}

TaskReport judge(const TaskScores& task, const std::optional<metrics::BootstrapOptions>& bootstrap) {
  TaskReport report;
  report.name = task.name;
  report.score = task.score;
  report.studies = task.count();
  const auto decisions = decide(task);
  std::vector<Column> columns;
  for (std::size_t at = 0; at < task.classes.size(); ++at) {
    columns.push_back(column_of(task, at));
    report.classes.push_back(report_of(task, at, columns.back(), decisions));
  }
  report.auroc.value = mean_of(report.classes, [](const ClassReport& one) { return one.auroc.value; });
  report.average_precision = mean_of(report.classes, [](const ClassReport& one) { return one.average_precision; });
  if (exclusive(task)) report.matrix = matrix_of(judgements(task), task.classes.size());
  report.decisions = report.matrix ? exclusive_scores(*report.matrix) : mean_decisions(report.classes);
  report.balanced_accuracy.value = report.decisions.balanced_accuracy;
  report.weighted_f1.value = report.decisions.weighted_f1;
  if (bootstrap && task.count() > 0) add_intervals(report, task, columns, decisions, *bootstrap);
  return report;
}

}  // namespace strata::engine
