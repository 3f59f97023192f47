// SPDX-License-Identifier: Apache-2.0
#include "app/progress_sink.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/fixtures/scratch_folder.hpp"

namespace strata::app {
namespace {

class Progress : public testing::Test {
 protected:
  // What is shown of the records, and then of a sink that goes away.
  std::string shown(bool terminal, const std::vector<io::MetricRecord>& records, bool flush = false) const {
    std::FILE* stream = std::fopen(folder_.file("out").c_str(), "w");
    {
      const auto sink = progress_sink({.steps = 400, .stream = stream, .terminal = terminal, .every = 10});
      for (const auto& record : records) sink->write(record);
      if (flush) sink->flush();
    }
    std::fclose(stream);
    return fixtures::read_all(folder_.file("out"));
  }

  fixtures::ScratchFolder folder_;
};

io::MetricRecord train(std::int64_t step, double seconds) {
  return {.kind = "train",
          .step = step,
          .seconds = seconds,
          .values = {{"loss", 2.34567}, {"train/lr", 4.876e-4}, {"studies_per_second", 5.123}}};
}

io::MetricRecord eval(std::int64_t step, double auroc) {
  return {.kind = "eval", .step = step, .values = {{"eval/loss", 3}, {"eval/auroc", auroc}}};
}

TEST_F(Progress, PlainLinesNowAndThenAndEachEvaluation) {
  EXPECT_EQ(shown(false, {train(1, 3),
                          train(2, 4),
                          train(5, 7),
                          eval(5, 0.8125),
                          train(11, 13),
                          train(12, 14),
                          train(400, 15),
                          {.kind = "end", .step = 400, .seconds = 4000, .values = {}}}),
            "step 1 of 400, loss 2.346, lr 0.000488, 5.12 studies/s\n"
            "evaluation after step 5: eval/auroc 0.8125\n"
            "step 11 of 400, loss 2.346, lr 0.000488, 5.12 studies/s, 6 min left, eval/auroc 0.8125\n"
            "step 400 of 400, loss 2.346, lr 0.000488, 5.12 studies/s, eval/auroc 0.8125\n"
            "400 of 400 steps are done, 67 min since this start\n");
}

TEST_F(Progress, ATerminalHasOneLineThatIsRewritten) {
  const std::string one = "step 1 of 400, loss 2.346, lr 0.000488, 5.12 studies/s";
  const std::string two = "step 2 of 400, loss 2.346, lr 0.000488, 5.12 studies/s, 80 s left";
  EXPECT_EQ(shown(true, {train(1, 3), train(2, 3.2)}), "\r" + one + "\x1b[K\r" + two + "\x1b[K\r\x1b[K" + two + "\n");
  EXPECT_EQ(shown(true, {train(1, 3)}, true), shown(true, {train(1, 3)}));  // ended once
}

TEST_F(Progress, ALongLineDoesNotWrap) {
  auto long_one = train(1, 1);
  long_one.values[0].second = -1.2345e-300;
  long_one.values[1].second = -1.2345e-300;
  long_one.values[2].second = -1.2345e-300;
  const std::string text = shown(true, {eval(1, 0.123456), long_one});
  const auto begin = text.find('\r') + 1;
  EXPECT_EQ(text.find('\x1b', begin) - begin, 79U);
}

TEST_F(Progress, AResumedRunSaysSoAndItsPaceIsItsOwn) {
  EXPECT_EQ(shown(false, {{.kind = "start", .step = 200, .values = {}}, train(201, 30), train(211, 50)}),
            "resumed after step 200 of 400\n"
            "step 201 of 400, loss 2.346, lr 0.000488, 5.12 studies/s\n"
            "step 211 of 400, loss 2.346, lr 0.000488, 5.12 studies/s, 6 min left\n");
}

TEST_F(Progress, WhatARecordLacksIsLeftOut) {
  EXPECT_EQ(shown(false, {{.kind = "train", .step = 3, .values = {}},
                          eval(3, NAN),
                          {.kind = "eval", .step = 4, .values = {{"other", 1}}}}),
            "step 3 of 400\n"
            "evaluation after step 3: eval/loss 3\n");
}

}  // namespace
}  // namespace strata::app
