// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/zero_shot.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <map>

#include "parallel/comm/local.hpp"
#include "strata/engine/zero_shot_report.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_training.hpp"

namespace strata::engine {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

ZeroShotSpec read(const std::string& yaml) { return zero_shot_schema().read(config::Node::parse(yaml, "set.yaml")); }

constexpr const char* kNumbers = R"(
name: numbers
templates: ["{}", "memory - {}"]
positive_from: 0.75
classes:
  - {name: small, prompts: ["1", "2"], negatives: ["9"]}
  - {name: large, columns: [big, huge], prompts: ["7"], negatives: ["3", "0"], threshold: 0.25}
  - {name: odd, prompts: ["5"]}
tasks:
  - {name: each, classes: [large, small], threshold: youden}
  - {name: which, score: classes, classes: [small, odd]}
  - {name: near, score: similarity, classes: [odd], studies: [{column: age, least: 30, most: 60}], threshold_value: 0.1}
)";

// Four studies, their embeddings drawn once and for all.
EncodedStudies four_studies(std::int64_t pairs) {
  EncodedStudies all;
  all.images = host_tensor(DType::f32, {4, pairs, 8});
  for (std::int64_t i = 0; i < all.images.numel(); ++i)
    all.images.data<float>()[i] = std::sin(1.3f * static_cast<float>(i * i) + 0.4f);
  all.keys = {"a", "b", "c", "d"};
  all.sets = {0, 0, 0, 0};
  all.label_names = {"age", "small", "big", "huge", "odd"};
  all.labels = {29, 1, 0,    0.8f, 0,  // asks: both of large's columns
                30, 0, kNaN, 0,    1,  // large is not known
                60, 1, kNaN, 1,    1,  // small and odd: not exclusive
                61, 0, 0.7f, 0,    0};
  return all;
}

std::string refusal(const std::string& yaml) {
  return fixtures::message_of([&] { read(yaml); }, ErrorKind::usage);
}

void expect_part(const std::string& message, const std::string& part) {
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(LabelSet, IsReadAndWrittenBack) {
  const ZeroShotSpec spec = read(kNumbers);
  EXPECT_EQ(spec.classes[1].columns, (std::vector<std::string>{"big", "huge"}));
  EXPECT_EQ(spec.classes[1].threshold, 0.25);
  EXPECT_EQ(spec.tasks[0].threshold, metrics::ThresholdRule::youden);
  EXPECT_EQ(spec.tasks[2].studies[0].least, 30);
  const auto schema = zero_shot_schema();
  const auto written = schema.dump(spec);
  EXPECT_EQ(schema.dump(schema.read(written)).dump(), written.dump());
}

TEST(LabelSet, SaysWhatIsWrong) {
  expect_part(refusal("{name: x, classes: [{name: a, prompts: [b]}]}"), "class a has no negatives");
  expect_part(refusal("{name: x, classes: []}"), "classes");
  expect_part(refusal("{name: x, classes: [{name: a, prompts: []}]}"), "class a has no prompts");
  expect_part(refusal("{name: x, templates: ['a {} and {}'], classes: [{name: a, prompts: [b], negatives: [c]}]}"),
              "must have one {}");
  const std::string two =
      "{name: x, classes: [{name: ab, prompts: [b], negatives: [c]}, {name: b, prompts: [c]}], tasks: ";
  expect_part(refusal(two + "[{name: t, classes: [ac]}]}"), "did you mean ab?");
  expect_part(refusal(two + "[{name: t, classes: [ab], score: classes}]}"), "compares classes, and has 1");
  expect_part(refusal(two + "[{name: t, classes: [ab]}, {name: t, classes: [ab]}]}"), "two tasks t");
  expect_part(refusal(two + "[{name: t, classes: [ab], studies: [{column: c}]}]}"), "neither least nor most");
  expect_part(refusal(two + "[{name: t, classes: [ab], thresholds: youden}]}"), "'threshold'");
}

TEST(LabelSet, NamesTheColumnThatIsNotThere) {
  const ZeroShotSpec spec = read(kNumbers);
  check_columns(spec, {"age", "small", "big", "huge", "odd"});
  const auto refused = [&](const std::vector<std::string>& names) {
    return fixtures::message_of([&] { check_columns(spec, names); }, ErrorKind::usage);
  };
  expect_part(refused({"age", "tall", "big", "huge", "odd"}), "class small of numbers reads label column small");
  expect_part(refused({"age", "tall", "big", "huge", "odd"}), "did you mean 'tall'?");
  expect_part(refused({"aged", "small", "big", "huge", "odd"}), "task near of numbers reads label column age");
  expect_part(refused({}), "the studies have no labels");
}

TEST(LabelSet, AllThatComeWithTheProjectAreWhole) {
  const std::filesystem::path folder = std::string(STRATA_GOLDEN_DATA) + "/../../../configs/eval";
  std::map<std::string, std::size_t> classes;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    classes[entry.path().stem()] = zero_shot_schema().read(config::Node::load(entry.path())).classes.size();
  const std::map<std::string, std::size_t> expected{{"cq500", 13},      {"ct_rate", 18},     {"nyu_head_ct", 11},
                                                    {"pub_brain_5", 5}, {"rad_chestct", 16}, {"rsna_head_ct", 6}};
  EXPECT_EQ(classes, expected);
}

TEST(ZeroShot, PutsPromptsIntoTemplates) {
  EXPECT_EQ(prompt_texts({"a", "b"}, {"{}", "see {}."}, "CT: "),
            (std::vector<std::string>{"CT: a", "CT: see a.", "CT: b", "CT: see b."}));
  EXPECT_EQ(prompt_texts({"a {} b"}, {"x {}"}, ""), (std::vector<std::string>{"x a {} b"}));
}

class ZeroShotScores : public ::testing::Test {
 protected:
  std::vector<TaskScores> score(const fixtures::TrainingForm& form, std::int64_t pairs) {
    model_ = fixtures::small_objective(device_.ctx, form);
    const auto world = comm::make_local();
    const auto reading = fixtures::small_reading(form);
    prompts_ = embed_prompts(device_.ctx, *model_, reading, spec_, *world);
    return zero_shot_scores(device_.ctx, *model_, reading, spec_, four_studies(pairs), *world);
  }

  // Mean over the embeddings of a study of the cosine with a group.
  double cosine(std::int64_t study, const std::vector<double>& group, std::int64_t pairs) const {
    const auto all = four_studies(pairs);
    double sum = 0;
    for (std::int64_t p = 0; p < pairs; ++p) {
      const float* row = all.images.data<float>() + (study * pairs + p) * 8;
      double ab = 0, aa = 0;
      for (std::size_t c = 0; c < 8; ++c)
        ab += static_cast<double>(row[c]) * group[c], aa += static_cast<double>(row[c]) * static_cast<double>(row[c]);
      sum += ab / std::sqrt(aa) / static_cast<double>(pairs);
    }
    return sum;
  }

  fixtures::ReferenceDevice device_;
  ZeroShotSpec spec_ = read(kNumbers);
  std::unique_ptr<objectives::ImageTextObjective> model_;
  std::vector<ClassEmbedding> prompts_;
};

TEST_F(ZeroShotScores, ClassEmbeddingsAreMeansOfUnitVectors) {
  score({}, 1);
  const auto reading = fixtures::small_reading({});
  std::vector<double> sum(8);
  for (const char* text : {"1", "memory - 1", "2", "memory - 2"}) {
    models::TextBatch batch;
    batch.add(reading.tokenizer->encode(text, reading.context), 0);
    autograd::Tape tape(device_.ctx, {.record = false, .training = false});
    const auto row = device_.ctx.to_host<double>(model_->encode_texts(tape, batch).value());
    double length = 0;
    for (const double value : row) length += value * value;
    for (std::size_t c = 0; c < 8; ++c) sum[c] += row[c] / std::sqrt(length);
  }
  double length = 0;
  for (const double value : sum) length += value * value;
  for (std::size_t c = 0; c < 8; ++c) EXPECT_NEAR(prompts_[0].prompts[c], sum[c] / std::sqrt(length), 1e-6);
  EXPECT_TRUE(prompts_[2].negatives.empty());
}

TEST_F(ZeroShotScores, CompareAClassWithItsNegatives) {
  for (const std::int64_t pairs : {1, 2}) {
    const auto tasks = score({.dual = pairs == 2}, pairs);
    const double scale = std::exp(device_.ctx.item(model_->logit_scale[0]->value()));
    ASSERT_EQ(tasks.size(), 3U);
    EXPECT_EQ(tasks[0].classes, (std::vector<std::string>{"large", "small"}));
    EXPECT_EQ(tasks[0].studies, (std::vector<std::int64_t>{0, 1, 2, 3}));
    EXPECT_EQ(tasks[0].truths, (std::vector<std::int8_t>{1, 1, -1, 0, 1, 1, 0, 0}));
    for (std::int64_t i = 0; i < 4; ++i) {
      const double yes = std::exp(scale * cosine(i, prompts_[1].prompts, pairs));
      const double no = std::exp(scale * cosine(i, prompts_[1].negatives, pairs));
      EXPECT_NEAR(tasks[0].scores[static_cast<std::size_t>(2 * i)], yes / (yes + no), 1e-9);
    }
  }
}

TEST_F(ZeroShotScores, CompareClassesOfStudiesThatHaveOne) {
  const auto tasks = score({}, 1);
  const double scale = std::exp(device_.ctx.item(model_->logit_scale[0]->value()));
  EXPECT_EQ(tasks[1].studies, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(tasks[1].truths, (std::vector<std::int8_t>{1, 0, 0, 1}));
  const double small = std::exp(scale * cosine(1, prompts_[0].prompts, 1));
  const double odd = std::exp(scale * cosine(1, prompts_[2].prompts, 1));
  EXPECT_NEAR(tasks[1].scores[2], small / (small + odd), 1e-9);
  EXPECT_NEAR(tasks[1].scores[3], odd / (small + odd), 1e-9);
  const TaskReport report = judge(tasks[1], metrics::BootstrapOptions{});
  EXPECT_EQ(report.matrix->count(0, tasks[1].scores[1] > tasks[1].scores[0] ? 1 : 0), 1);
}

TEST_F(ZeroShotScores, AreCosinesOfTheStudiesAskedFor) {
  const auto tasks = score({}, 1);
  EXPECT_EQ(tasks[2].studies, (std::vector<std::int64_t>{1, 2}));
  EXPECT_NEAR(tasks[2].scores[0], cosine(1, prompts_[2].prompts, 1), 1e-9);
}

TEST_F(ZeroShotScores, ReadPromptsBehindTheModelsPrefixUnlessTold) {
  model_ = fixtures::small_objective(device_.ctx, {});
  const auto world = comm::make_local();
  auto reading = fixtures::small_reading({});
  const auto plain = embed_prompts(device_.ctx, *model_, reading, spec_, *world)[0].prompts;
  reading.prefix = "memory ";
  EXPECT_NE(embed_prompts(device_.ctx, *model_, reading, spec_, *world)[0].prompts, plain);
  spec_.prefix = false;
  EXPECT_EQ(embed_prompts(device_.ctx, *model_, reading, spec_, *world)[0].prompts, plain);
}

TaskScores scored(std::vector<double> scores, std::vector<std::int8_t> truths, std::size_t classes) {
  TaskScores task;
  task.name = "task";
  for (std::size_t c = 0; c < classes; ++c) task.classes.push_back(std::string(1, static_cast<char>('a' + c)));
  task.thresholds.resize(classes);
  for (std::size_t i = 0; i < scores.size() / classes; ++i) task.studies.push_back(static_cast<std::int64_t>(i));
  task.scores = std::move(scores);
  task.truths = std::move(truths);
  return task;
}

TEST(ZeroShotReport, JudgesColumnsByThemselvesAndLeavesOutWhatIsNotKnown) {
  auto task = scored({0.9, 0.2, 0.6, 0.2, 0.4, 0.9, 0.1, 0.4}, {1, 0, 1, -1, 0, 1, 0, -1}, 2);
  task.thresholds[1] = 0.1;
  const TaskReport report = judge(task, std::nullopt);
  EXPECT_EQ(report.classes[0].positive, 2);
  EXPECT_EQ(report.classes[1].unknown, 2);
  EXPECT_EQ(report.classes[0].auroc.value, 1);
  EXPECT_EQ(report.classes[0].decisions.accuracy, 1);
  EXPECT_EQ(report.classes[1].decisions.precision, 0.5) << "all are above its own threshold";
  EXPECT_EQ(report.classes[1].decisions.balanced_accuracy, 0.5);
  EXPECT_EQ(report.decisions.balanced_accuracy, 0.75);
  EXPECT_FALSE(report.classes[0].auroc.interval);
}

TEST(ZeroShotReport, ThresholdRulesAreAppliedToEachClass) {
  auto task = scored({0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6}, {0, 1, 0, 1, 1, 0, 1, 0}, 2);
  task.rule = metrics::ThresholdRule::roc_corner;
  const TaskReport report = judge(task, std::nullopt);
  EXPECT_EQ(report.classes[0].threshold, 0.3);
  EXPECT_EQ(report.classes[1].threshold, 0.8);
  EXPECT_EQ(report.decisions.f1, 1);
}

TEST(ZeroShotReport, ExclusiveClassesShareAMatrix) {
  auto task =
      scored({0.6, 0.3, 0.1, 0.2, 0.5, 0.3, 0.1, 0.2, 0.7, 0.5, 0.4, 0.1}, {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0}, 3);
  task.score = ZeroShotScore::classes;
  const TaskReport report = judge(task, metrics::BootstrapOptions{.resamples = 200});
  ASSERT_TRUE(report.matrix);
  EXPECT_EQ(report.matrix->count(1, 0), 1);
  EXPECT_EQ(report.decisions.accuracy, 0.75);
  EXPECT_NEAR(report.decisions.balanced_accuracy, (1 + 0.5 + 1) / 3, 1e-12);
  EXPECT_FALSE(report.classes[0].threshold);
  EXPECT_EQ(report.classes[1].decisions.recall, 0.5);
  ASSERT_TRUE(report.auroc.interval);
  EXPECT_LE(report.auroc.interval->low, report.auroc.value);
  EXPECT_LE(report.balanced_accuracy.interval->low, report.balanced_accuracy.interval->high);
}

TEST(ZeroShotReport, WithoutStudiesOrWithOneAnswerThereIsNoNumber) {
  const TaskReport none = judge(scored({}, {}, 2), metrics::BootstrapOptions{});
  EXPECT_EQ(none.studies, 0);
  EXPECT_TRUE(std::isnan(none.auroc.value));
  EXPECT_TRUE(std::isnan(none.decisions.f1));
  const TaskReport one = judge(scored({0.1, 0.2}, {1, 1}, 1), metrics::BootstrapOptions{.resamples = 10});
  EXPECT_TRUE(std::isnan(one.auroc.value));
  EXPECT_EQ(one.classes[0].decisions.recall, 0);
  EXPECT_TRUE(std::isnan(one.decisions.balanced_accuracy)) << "no class has both answers";
  EXPECT_EQ(one.auroc.interval->resamples, 0);
}

}  // namespace
}  // namespace strata::engine
