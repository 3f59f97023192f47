// SPDX-License-Identifier: Apache-2.0
#include "app/eval_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/label_set.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::app {
namespace {

engine::TaskScores findings() {
  engine::TaskScores task;
  task.name = "findings";
  task.classes = {"bleed", "no, \"none\""};
  task.thresholds.resize(2);
  task.studies = {0, 2};
  task.scores = {0.75, 0.5, 0.25, 0.125};
  task.truths = {1, -1, 0, -1};
  return task;
}

EvalReport report_of(std::vector<engine::TaskScores> tasks) {
  EvalReport report;
  report.label_set = "Numbers";
  report.origin = {{"checkpoint", "runs/x"}};
  report.sets = {"set:test", "b"};
  report.studies = 3;
  report.scores = std::move(tasks);
  for (const auto& task : report.scores) report.tasks.push_back(engine::judge(task, metrics::BootstrapOptions{}));
  return report;
}

engine::EncodedStudies three_studies() {
  engine::EncodedStudies studies;
  studies.keys = {"a1", "b2", "c3"};
  studies.sets = {0, 0, 1};
  return studies;
}

TEST(EvalReport, PredictionsHaveARowAStudyThatWasAsked) {
  EXPECT_EQ(predictions_of(report_of({findings()}), 0, three_studies()),
            "set,key,bleed score,bleed label,bleed prediction,\"no, \"\"none\"\" score\",\"no, \"\"none\"\" label\","
            "\"no, \"\"none\"\" prediction\"\n"
            "set:test,a1,0.75,1,1,0.5,,1\n"
            "b,c3,0.25,0,0,0.125,,0\n");
  EXPECT_EQ(predictions_name(report_of({findings()}), 0), "predictions.csv");
  EXPECT_EQ(predictions_name(report_of({findings(), findings()}), 1), "predictions_2_findings.csv");
}

TEST(EvalReport, JsonHoldsAllNumbersAndNullForThoseThatAreNot) {
  EvalReport report = report_of({findings()});
  report.retrieval.emplace();
  report.retrieval->studies = 3;
  report.retrieval->recalls = {{1, 0.5, 0.25}};
  const auto json = nlohmann::json::parse(json_of(report));
  EXPECT_EQ(json["checkpoint"], "runs/x");
  const auto& task = json["tasks"][0];
  EXPECT_EQ(task["auroc"]["value"], 1);
  EXPECT_EQ(task["classes"][0]["confusion_matrix"], (nlohmann::json{{1, 0}, {0, 1}}));
  EXPECT_TRUE(task["classes"][1]["auroc"]["value"].is_null());
  EXPECT_EQ(task["classes"][1]["auroc"]["resamples"], 0);
  EXPECT_EQ(task["classes"][1]["unknown"], 2);
  EXPECT_EQ(json["retrieval"]["recall"][0]["text_to_image"], 0.25);
}

TEST(EvalReport, TableShowsClassesAndTheirMean) {
  const std::string text = table_of(report_of({findings()}));
  EXPECT_NE(text.find("Numbers: findings, 2 studies"), std::string::npos) << text;
  EXPECT_NE(text.find("\nbleed "), std::string::npos) << text;
  EXPECT_NE(text.find("\nmacro "), std::string::npos) << text;
  engine::TaskScores nobody = findings();
  nobody.studies.clear();
  nobody.scores.clear();
  nobody.truths.clear();
  EXPECT_NE(table_of(report_of({nobody})).find("no study is asked"), std::string::npos);
}

TEST(EvalReport, ExclusiveClassesComeWithTheirMatrix) {
  engine::TaskScores task = findings();
  task.score = engine::ZeroShotScore::classes;
  task.truths = {1, 0, 0, 1};
  const std::string text = table_of(report_of({task}));
  EXPECT_NE(text.find("true \\ said"), std::string::npos) << text;
  EXPECT_NE(text.find("highest"), std::string::npos) << text;
}

TEST(LabelSets, AreReadByNameWithOverrides) {
  const auto spec = read_label_set("ct_rate", {"tasks[0].threshold=fixed", "tasks[0].classes=[Emphysema]"});
  EXPECT_EQ(spec.tasks[0].threshold, metrics::ThresholdRule::fixed);
  EXPECT_EQ(spec.classes.size(), 18U);
  const auto message = fixtures::message_of([] { read_label_set("ct_rat"); }, ErrorKind::usage);
  EXPECT_NE(message.find("did you mean 'ct_rate'?"), std::string::npos) << message;
}

}  // namespace
}  // namespace strata::app
