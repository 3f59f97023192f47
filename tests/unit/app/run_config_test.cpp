// SPDX-License-Identifier: Apache-2.0
#include "app/run_config.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "app/config_file.hpp"
#include "strata/base/error.hpp"
#include "strata/config/compose.hpp"

namespace strata::app {
namespace {

using Overrides = std::vector<std::string>;

std::string complaint(const std::string& name, const Overrides& overrides) {
  try {
    read_run(name, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.message() + " | " + error.hint();
  }
  return "no complaint";
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(RunConfig, EveryRunReadsAndItsResolvedTextGivesTheSameRun) {
  const auto names = config::choices_of(config_folders(), "run");
  ASSERT_GE(names.size(), 4u);
  for (const auto& name : names) {
    SCOPED_TRACE(name);
    const ReadRun read = read_run(name, {});
    EXPECT_EQ(read.run.name, name);
    const RunConfig again = parse_run(read.resolved, "config.yaml");
    EXPECT_EQ(run_schema().dump(again).dump(), read.resolved);
    EXPECT_FALSE(read.run.train.best.empty());
  }
}

TEST(RunConfig, EveryChoiceFitsARun) {
  const auto folders = config_folders();
  for (const char* group : {"model", "text", "objective", "optim"})
    for (const auto& name : config::choices_of(folders, group)) {
      SCOPED_TRACE(std::string(group) + "/" + name);
      Overrides overrides{std::string(group) + "=" + name, "data.max_scans=1", "train.steps=5000"};
      if (name.ends_with("dinotxt")) overrides.emplace_back("text=biomed_bert_dual");
      if (name == "biomed_bert_dual") overrides.emplace_back("model=vit_base_multiscan_h2_token1568_dinotxt");
      EXPECT_EQ(complaint("quickstart", overrides), "no complaint");
    }
}

TEST(RunConfig, ThePublishedStages) {
  const RunConfig one = read_run("hlip_brain_mri_head_ct_2025", {"data.root=/sets"}).run;
  EXPECT_EQ(one.model.variant, "vit_base_multiscan_h2_token1176");
  EXPECT_EQ(one.model.patch_dropout, 0.5);
  EXPECT_EQ(one.model.drop_path, 0.2);
  EXPECT_EQ(one.train.batch, 768);
  EXPECT_EQ(one.train.epochs, 25);
  EXPECT_EQ(one.data.max_scans, 8);
  EXPECT_EQ(one.data.train.at(1).path, "/sets/head_ct");
  EXPECT_EQ(one.data.eval.at(0).path, "/sets/brain_mri");
  EXPECT_TRUE(one.data.root.empty());
  EXPECT_EQ(one.text.prefix, "This MRI study shows: ");
  const auto adamw = optimizer_config(one.optim, one.seed);
  EXPECT_EQ(adamw.beta1, 0.9);
  EXPECT_EQ(adamw.beta2, 0.95);
  EXPECT_EQ(adamw.eps, 1e-6);
  EXPECT_EQ(adamw.rounding, optim::Rounding::nearest);
  EXPECT_EQ(one.optim.weight_decay, 0.2);

  const optim::Schedule first(schedule_config(one.optim, total_steps(one.train, 460'000)));
  EXPECT_EQ(first.config().total, 14973);  // 25 · 460 000 / 768, whole steps
  EXPECT_DOUBLE_EQ(first.at(0), 5e-4 / 2400);
  EXPECT_DOUBLE_EQ(first.at(2399), 5e-4);

  const RunConfig two = read_run("hlip_brain_mri_head_ct_2025_unmasked", {}).run;
  EXPECT_EQ(two.model.patch_dropout, 0);
  EXPECT_EQ(two.train.epochs, 5);
  EXPECT_EQ(two.optim.lr, 5e-5);
  EXPECT_EQ(two.optim.warm_up, 400);
  EXPECT_EQ(two.optim.beta2, 0.95);
  EXPECT_EQ(two.start_from, "runs/hlip_brain_mri_head_ct_2025");
  EXPECT_EQ(two.train.batch, 768);

  const RunConfig rounded = read_run("hlip_brain_mri_head_ct_2025", {"optim.rounding=stochastic", "seed=7"}).run;
  EXPECT_EQ(optimizer_config(rounded.optim, rounded.seed).rounding, optim::Rounding::stochastic);
  EXPECT_EQ(optimizer_config(rounded.optim, rounded.seed).seed, 7u);

  const RunConfig chest = read_run("hlip_chest_ct", {}).run;
  EXPECT_EQ(chest.train.batch, 64);
  EXPECT_EQ(chest.optim.lr, 1e-5);
  EXPECT_EQ(chest.optim.beta2, 0.98);
  EXPECT_EQ(chest.optim.warm_up, 377);
  EXPECT_EQ(chest.text.context, 512);
  EXPECT_TRUE(chest.text.locked);
}

TEST(RunConfig, AFileOfOnesOwnBuildsOnTheBuiltInOnes) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "strata_own_run";
  std::filesystem::create_directories(folder);
  const std::string file = folder / "mine.yaml";
  std::ofstream(file) << "defaults:\n  - run/quickstart@_here_\n";
  EXPECT_SAYS(complaint(file, {}), "mine.yaml");
  std::ofstream(file) << "defaults:\n  - run@_here_: quickstart\n  - override model: vit_base_multiscan_h2_token588\n"
                         "train: {batch: 8}\n";
  const RunConfig run = read_run(file, {"train.steps=200", "seed=7"}).run;
  EXPECT_EQ(run.name, "mine");
  EXPECT_EQ(run.train.batch, 8);
  EXPECT_EQ(run.train.steps, 200);
  EXPECT_EQ(run.seed, 7u);
  EXPECT_EQ(run.optim.lr, read_run("quickstart", {}).run.optim.lr);
  std::filesystem::remove_all(folder);
}

TEST(RunConfig, WhatDoesNotFitTogetherIsSaidWithWhatToDo) {
  const std::vector<std::tuple<const char*, Overrides, const char*>> cases{
      {"quickstart", {"name=a/b"}, "is to name a folder"},
      {"quickstart", {"model.variant=vit_base_multiscan_h2_token589"}, "vit_base_multiscan_h2_token588"},
      {"quickstart", {"~model.width"}, "without: width (variants are vit_base_singlescan_h2_token2744"},
      {"quickstart", {"model.patch=[4, 16]"}, "write model.patch=[48, 224, 224]"},
      {"quickstart", {"model.patch=[5, 16, 16]"}, "choose sizes that divide on every axis"},
      {"quickstart", {"model.depth=7"}, "block 6 has 0 attention levels"},
      {"quickstart", {"model.heads=5"}, "each head must be a multiple of 8 wide, at most 128; 3 heads are 64 wide"},
      {"quickstart", {"model.heads=1"}, "at most 128"},
      {"quickstart", {"model.weights=a"}, "set model.start=weights or model.start=mae2d"},
      {"quickstart", {"start_from=a", "model.start=mae2d"}, "set model.start=scratch"},
      {"quickstart", {"start_from=a", "text.weights=b"}, "text.weights="},
      {"quickstart", {"model=vit_base_singlescan_h2_token2744"}, "set data.max_scans=1"},
      {"hlip_brain_mri_head_ct_2025", {"data.max_scans=41"}, "the model has positions for 40 scans"},
      {"quickstart", {"text.variant=bert_bas"}, "'bert_base'"},
      {"quickstart", {"text.width=200"}, "text.width 200 over text.heads 3"},
      {"quickstart", {"text.context=600"}, "at most text.context=512"},
      {"quickstart", {"text.locked=true", "text.free_layers=5"}, "of a tower with 4 layers"},
      {"quickstart", {"text.free_layers=1"}, "set text.locked=true"},
      {"quickstart", {"text.parts=[finding]"}, "there are report, findings and impression"},
      {"quickstart", {"text.parts=[findings, impression]"}, "take a model with the dinotxt head"},
      {"quickstart", {"model=vit_base_multiscan_h2_token1568_dinotxt"}, "text.parts=[findings, impression] are two"},
      {"quickstart", {"objective.logit_bias=-5"}, "objective.kind=siglip"},
      {"quickstart", {"train.batch=1"}, "at least train.batch=2"},
      {"quickstart", {"train.batch=0"}, "is 0, not at least 1 (studies)"},
      {"quickstart", {"data.train=[{path: a, weight: 1}, {path: b}]"}, "give one to all, or to none"},
      {"quickstart", {"train.epochs=2"}, "set the other to 0"},
      {"quickstart", {"train.steps=0"}, "neither train.steps nor train.epochs"},
      {"quickstart", {"optim.end_lr=1"}, "which is the peak"},
      {"quickstart", {"optim.cool_down=5"}, "optim.schedule=cool_down"},
      {"quickstart", {"optim.schedule=cool_down"}, "over how many steps"},
      {"quickstart", {"train.steps=40"}, "longer than train.steps 40"},
      {"quickstart", {"data.eval=[]"}, "set train.eval_every=0"},
      {"quickstart", {"data.eval=[]", "train.eval_every=0"}, "set zero_shot="},
      {"quickstart", {"optim.lrr=1"}, "is 'lr' meant?"},
      {"quickstart", {"seed=-1"}, "is negative"},
      {"quickstart", {"model.head=dinotext"}, "is 'dinotxt' meant?"},
      {"quikstart", {}, "quickstart"},
  };
  for (const auto& [name, overrides, part] : cases) {
    SCOPED_TRACE(overrides.empty() ? name : overrides.front());
    Overrides all{"model=vit_small_token216", "text=bert_mini", "data.max_scans=0"};
    if (std::string_view(name) != "quickstart") all.clear();
    all.insert(all.end(), overrides.begin(), overrides.end());
    EXPECT_SAYS(complaint(name, all), part);
  }
}

TEST(RunConfig, ARunOnDataNamesAllThatItLacks) {
  try {
    check_complete(read_run("hlip_chest_ct", {"data.train=[]", "data.eval[0].path="}).run);
    FAIL();
  } catch (const Error& error) {
    for (const char* part : {"data.train=[{path: FOLDER}]", "data.eval[0].path=FOLDER", "has no vocabulary",
                             "locked text tower", "model.weights=FILE.safetensors"})
      EXPECT_SAYS(error.message(), part);
  }
  EXPECT_NO_THROW(check_complete(
      read_run("hlip_chest_ct", {"text.weights=cxr_bert", "model.weights=mae.safetensors", "data.root=/sets"}).run));
  EXPECT_NO_THROW(check_complete(read_run("hlip_brain_mri_head_ct_2025_unmasked", {}).run));
}

TEST(RunConfig, PartsForTheFloorsBelow) {
  TextSettings text;
  text.variant = "bert_tiny";
  EXPECT_EQ(text_config(text, 100, 32).heads, 2);
  text.width = 320;
  const auto wide = text_config(text, 100, 32);
  EXPECT_EQ(wide.heads, 5);
  EXPECT_EQ(wide.hidden, 1280);
  EXPECT_EQ(wide.vocabulary, 100);
  EXPECT_EQ(wide.joint_width, 32);

  text.parts = {"impression", "findings"};
  EXPECT_EQ(report_parts(text), (std::vector{engine::ReportPart::impression, engine::ReportPart::findings}));

  ObjectiveSettings objective;
  EXPECT_DOUBLE_EQ(objective_options(objective).logit_scale, std::log(1 / 0.07));
  objective.kind = objectives::ContrastiveKind::siglip;
  EXPECT_DOUBLE_EQ(objective_options(objective).logit_scale, std::log(10.0));
  EXPECT_DOUBLE_EQ(objective_options(objective).logit_bias, -10);
  objective.logit_scale = 1;
  EXPECT_DOUBLE_EQ(objective_options(objective).logit_scale, 1);

  EXPECT_EQ(optimizer_rules({}).size(), optim::no_decay_rules().size());
  EXPECT_EQ(optimizer_rules({.text_lr_scale = 0.1}).back().lr_scale, 0.1);

  EXPECT_EQ(total_steps({.batch = 10, .steps = 7}, 1000), 7);
  EXPECT_EQ(total_steps({.batch = 10, .epochs = 1.5}, 1000), 150);
  EXPECT_EQ(total_steps({.batch = 10, .epochs = 1}, 19), 1);
  EXPECT_EQ(total_steps({.batch = 10, .epochs = 0.1}, 19), 1);
}

TEST(RunConfig, HelpNamesFieldsUnitsAndConfigurations) {
  const std::string help = run_help();
  for (const char* part : {"train.batch=64", "[studies]", "data.train[].path", "cls | dinotxt | null", "run/quickstart",
                           "model/vit_base_multiscan_h2_token588", "optim.lr=0.0005"})
    EXPECT_SAYS(help, part);
}

}  // namespace
}  // namespace strata::app
