// SPDX-License-Identifier: Apache-2.0
//
// Metrics against scikit-learn's; tools/make_metrics_golden.py wrote what it says.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "strata/metrics/bootstrap.hpp"
#include "strata/metrics/classification.hpp"
#include "strata/metrics/ranking.hpp"
#include "strata/metrics/threshold.hpp"

namespace strata::metrics {
namespace {

using Json = nlohmann::json;

constexpr double kTolerance = 1e-12;

const Json& golden() {
  static const Json json = Json::parse(std::ifstream(std::string(STRATA_GOLDEN_DATA) + "/metrics.json"));
  return json;
}

// null: not defined.
void expect_value(double ours, const Json& theirs, const std::string& what) {
  if (theirs.is_null()) {
    EXPECT_FALSE(std::isfinite(ours)) << what << " is " << ours;
  } else {
    EXPECT_NEAR(ours, theirs.get<double>(), kTolerance) << what;
  }
}

void expect_values(const std::vector<double>& ours, const Json& theirs, const std::string& what) {
  ASSERT_EQ(ours.size(), theirs.size()) << what;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (what.ends_with("thresholds") && !theirs[i].is_null()) {
      EXPECT_EQ(ours[i], theirs[i].get<double>()) << what;
    } else {
      expect_value(ours[i], theirs[i], what);
    }
  }
}

struct Known {
  std::vector<double> scores;
  std::vector<std::uint8_t> positive;
};

Known known_of(const Json& one) {
  Known known;
  for (std::size_t i = 0; i < one["labels"].size(); ++i)
    if (one["labels"][i].get<int>() >= 0) {
      known.scores.push_back(one["scores"][i].get<double>());
      known.positive.push_back(one["labels"][i].get<int>() == 1);
    }
  return known;
}

TEST(MetricsGolden, AreasAreScikitLearns) {
  ASSERT_GT(golden()["rankings"].size(), 250u);
  for (const Json& one : golden()["rankings"]) {
    const Known known = known_of(one);
    const std::string what = one["scores"].dump() + one["labels"].dump();
    expect_value(auroc(known.scores, known.positive), one["auroc"], "AUROC of " + what);
    expect_value(average_precision(known.scores, known.positive), one["average_precision"], "AP of " + what);
    const auto scores = one["scores"].get<std::vector<double>>();
    const auto labels = one["labels"].get<std::vector<std::int8_t>>();
    const auto times = one["times"].get<std::vector<std::uint32_t>>();
    expect_value(ResampledAuroc(scores, labels)(times), one["auroc_drawn"], "AUROC of a draw of " + what);
  }
}

TEST(MetricsGolden, CurvesAreScikitLearns) {
  for (const Json& one : golden()["rankings"]) {
    const Known known = known_of(one);
    if (known.scores.empty()) continue;
    const RocCurve roc = roc_curve(known.scores, known.positive);
    expect_values(roc.false_positive_rate, one["false_rate"], "false positive rates");
    expect_values(roc.true_positive_rate, one["true_rate"], "true positive rates");
    expect_values(roc.thresholds, one["roc_thresholds"], "ROC thresholds");
    const PrecisionRecallCurve curve = precision_recall_curve(known.scores, known.positive);
    expect_values(curve.precision, one["precision"], "precisions");
    expect_values(curve.recall, one["recall"], "recalls");
    expect_values(curve.thresholds, one["pr_thresholds"], "PR thresholds");
  }
}

TEST(MetricsGolden, ThresholdsAreThoseOfScikitLearnsCurve) {
  int judged = 0;
  for (const Json& one : golden()["rankings"]) {
    const Known known = known_of(one);
    if (!one.contains("corner")) {
      EXPECT_EQ(choose_threshold(ThresholdRule::youden, 0.75, known.scores, known.positive), 0.75);
      continue;
    }
    ++judged;
    EXPECT_EQ(choose_threshold(ThresholdRule::roc_corner, 0, known.scores, known.positive), one["corner"]);
    EXPECT_EQ(choose_threshold(ThresholdRule::youden, 0, known.scores, known.positive), one["youden"]);
  }
  EXPECT_GT(judged, 50);
}

TEST(MetricsGolden, DecisionsAreJudgedAsScikitLearnDoes) {
  ASSERT_GT(golden()["decisions"].size(), 200u);
  for (const Json& one : golden()["decisions"]) {
    const auto classes = one["classes"].get<std::int64_t>();
    const ConfusionMatrix matrix(classes, one["truths"].get<std::vector<std::int32_t>>(),
                                 one["predictions"].get<std::vector<std::int32_t>>());
    for (std::int64_t i = 0; i < classes * classes; ++i)
      ASSERT_EQ(matrix.count(i / classes, i % classes), one["matrix"][static_cast<std::size_t>(i)]);
    const std::string what = one["matrix"].dump();
    expect_value(accuracy(matrix), one["accuracy"], "accuracy of " + what);
    expect_value(balanced_accuracy(matrix), one["balanced_accuracy"], "balanced accuracy of " + what);
    for (std::int64_t c = 0; c < classes; ++c) {
      const auto at = static_cast<std::size_t>(c);
      expect_value(precision(matrix, c), one["each"][0][at], "precision of " + what);
      expect_value(recall(matrix, c), one["each"][1][at], "recall of " + what);
      expect_value(f1(matrix, c), one["each"][2][at], "F1 of " + what);
    }
    for (const auto& [how, name] : {std::pair{Average::macro, "macro"}, std::pair{Average::weighted, "weighted"}}) {
      const ClassificationScores scores = averaged(matrix, how);
      expect_values({scores.precision, scores.recall, scores.f1}, one[name], std::string(name) + " of " + what);
    }
  }
}

}  // namespace
}  // namespace strata::metrics
