// SPDX-License-Identifier: Apache-2.0
// strata eval on what strata train leaves behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "parallel/comm/local.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_shards.hpp"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

// Of twenty-four studies 0, 4, 8, 12, 16 and 20 are held out; 8 and 20 have no report.
class Eval : public ::testing::Test {
 protected:
  Eval() {
    fs::create_directory(scratch_.file("set"));
    fixtures::write_small_set(*comm::make_local(), scratch_.file("set"), fixtures::small_set(), 2, 12);
    fixtures::write_all(scratch_.file("vocab.txt"), "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nstudy\nis\nnormal\n.\nno\n");
    const std::string set = scratch_.file("set");
    fixtures::write_all(scratch_.file("run.yaml"), "name: run\noutput: " + scratch_.file("runs") + R"(
model: {image: [6, 4, 5], patch: [3, 2, 5], width: 24, depth: 2, heads: 3, max_scans: 3, joint_width: 16,
        scan_blocks: [0], study_blocks: [1]}
text: {variant: bert_tiny, width: 16, depth: 1, heads: 2, hidden: 32, positions: 32, context: 16, vocabulary: )" +
                                                       scratch_.file("vocab.txt") + "}\ndata:\n  train: [{path: " +
                                                       set + ", splits: [train]}]\n  eval: [{path: " + set +
                                                       ", splits: [val]}]\ntrain: {batch: 4, steps: 2}\nthreads: 1\n");
    fixtures::write_all(scratch_.file("late.yaml"), R"(name: late
positive_from: 5
classes: [{name: late, columns: [hemorrhage], prompts: [normal], negatives: [no]}]
)");
  }

  std::string command(const std::string& rest) const {
    return "eval " + scratch_.file("late.yaml") + " --checkpoint " + scratch_.file("runs/run") + " " + rest;
  }

  fixtures::ScratchFolder scratch_;
};

void expect_said(const std::string& arguments, int code, const std::string& words) {
  SCOPED_TRACE(arguments);
  const Outcome outcome = strata(arguments);
  EXPECT_EQ(outcome.code, code);
  EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
}

TEST_F(Eval, JudgesTheStudiesThatTheRunHeldOut) {
  ASSERT_EQ(strata("train " + scratch_.file("run.yaml")).code, 0);
  const Outcome table = strata(command("--to " + scratch_.file("results")));
  ASSERT_EQ(table.code, 0) << table.err;
  EXPECT_NE(table.out.find("late: late, 6 studies"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("retrieval among 4 studies with reports"), std::string::npos) << table.out;
  const auto scores = nlohmann::json::parse(fixtures::read_all(scratch_.file("results/scores.json")));
  EXPECT_EQ(scores["step"], 2);
  EXPECT_EQ(scores["tasks"][0]["classes"][0]["positive"], 4);
  const std::string predictions = fixtures::read_all(scratch_.file("results/predictions.csv"));
  EXPECT_EQ(std::ranges::count(predictions, '\n'), 7);

  const Outcome json = strata(command("--json --data " + scratch_.file("set")));
  ASSERT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(nlohmann::json::parse(json.out)["studies"], 24);

  expect_said(command("--data " + scratch_.file("set") + ":tset"), 3, "no study is of split 'tset'");
  expect_said("eval cq500 --checkpoint " + scratch_.file("runs/run"), 2, "the studies have 'hemorrhage, fracture'");
  expect_said(command("tasks[0].thresholds=fixed"), 2, "tasks");
}

TEST_F(Eval, WhatAFirstUserGetsWrongIsSaid) {
  expect_said("eval cq50 --checkpoint nowhere", 2, "did you mean 'cq500'?");
  expect_said(command(""), 2, "there is no '" + scratch_.file("runs/run") + "'");
  expect_said("eval " + scratch_.file("late.yaml") + " --checkpoint " + scratch_.file("vocab.txt"), 8, "checkpoint");
}

}  // namespace
}  // namespace strata::cli
