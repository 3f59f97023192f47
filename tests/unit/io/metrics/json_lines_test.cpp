// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>

#include "io/metrics/metrics.hpp"
#include "strata/base/error.hpp"
#include "strata/base/log.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

class JsonLines : public testing::Test {
 protected:
  void write(const std::vector<MetricRecord>& records) const {
    const auto sink = json_lines_sink(path_);
    for (const auto& record : records) sink->write(record);
  }
  void append(const std::string& text) const { fixtures::write_all(path_, fixtures::read_all(path_) + text); }
  // "train 3=0.5": kind, step, first value
  std::vector<std::string> read() const {
    std::vector<std::string> short_forms;
    for (const auto& record : read_metrics(path_)) {
      std::string text = record.kind + " " + std::to_string(record.step);
      if (!record.values.empty()) text += "=" + nlohmann::json(record.values.front().second).dump();
      short_forms.push_back(text);
    }
    return short_forms;
  }
  void expect_bad(const std::string& text, const std::string& message) const {
    fixtures::write_all(path_, text);
    try {
      read_metrics(path_);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_EQ(error.message(), message);
    }
  }

  fixtures::ScratchFolder folder_;
  std::string path_ = folder_.file("metrics.jsonl");
};

MetricRecord start(std::int64_t step) { return {.kind = "start", .step = step, .values = {}}; }
MetricRecord train(std::int64_t step, double loss) {
  return {.kind = "train", .step = step, .values = {{"loss", loss}}};
}
MetricRecord eval(std::int64_t step, double score) {
  return {.kind = "eval", .step = step, .values = {{"auroc", score}}};
}

using Strings = std::vector<std::string>;

TEST_F(JsonLines, ALineIsWhatTheHeaderSays) {
  write({{.kind = "train", .step = 10, .seconds = 2.5, .values = {{"loss", 4.1}, {"train/lr", 5e-4}}},
         {.kind = "start", .step = 0, .values = {}, .texts = {{"config", "name: run\n"}}},
         {.kind = "eval", .step = 7, .values = {{"eval/auroc/ICH", 0.5}, {"eval/step", 3}, {"kind", 1}}}});
  EXPECT_EQ(fixtures::read_all(path_),
            "{\"kind\":\"train\",\"step\":10,\"seconds\":2.5,\"loss\":4.1,\"lr\":0.0005}\n"
            "{\"kind\":\"start\",\"step\":0,\"seconds\":0.0,\"texts\":{\"config\":\"name: run\\n\"}}\n"
            "{\"kind\":\"eval\",\"step\":7,\"seconds\":0.0,\"auroc/ICH\":0.5,\"eval/step\":3.0,\"eval/kind\":1.0}\n");
}

TEST_F(JsonLines, ComesBackBitByBit) {
  const double third = 1.0 / 3, tiny = std::numeric_limits<double>::denorm_min(), large = 1.7976931348623157e308;
  const std::string text = "a \"quote\"\n\ttab, ü, \x01, </script>";
  write(
      {{.kind = "train",
        .step = (std::int64_t{1} << 53) + 1,
        .seconds = third,
        .values = {{"a", third}, {"b", tiny}, {"c", large}, {"d", -0.0}, {"e", HUGE_VAL}, {"f", -HUGE_VAL}, {"g", NAN}},
        .texts = {{"t", text}, {"bad", "\xff"}}}});
  const auto records = read_metrics(path_);
  ASSERT_EQ(records.size(), 1);
  const auto& record = records.front();
  EXPECT_EQ(record.step, (std::int64_t{1} << 53) + 1);
  EXPECT_EQ(record.seconds, third);
  ASSERT_EQ(record.values.size(), 7);
  for (const auto& [index, value] : {std::pair{0U, third}, {1U, tiny}, {2U, large}, {4U, HUGE_VAL}, {5U, -HUGE_VAL}})
    EXPECT_EQ(record.values[index].second, value) << index;
  EXPECT_TRUE(std::signbit(record.values[3].second));
  EXPECT_TRUE(std::isnan(record.values[6].second));
  ASSERT_EQ(record.texts.size(), 2);
  EXPECT_EQ(record.texts[0].second, text);
  EXPECT_EQ(record.texts[1].second, "\xEF\xBF\xBD");  // not UTF-8: the replacement character
}

TEST_F(JsonLines, AStartVoidsStepsBeyondIt) {
  write({start(0), train(1, 1), train(2, 2), eval(2, 0.6), train(3, 3), eval(3, 0.7)});
  write({start(2), train(3, 30)});
  EXPECT_EQ(read(), (Strings{"start 0", "train 1=1.0", "train 2=2.0", "eval 2=0.6", "start 2", "train 3=30.0"}));
  write({start(1), train(2, 20), eval(2, 0.9)});
  EXPECT_EQ(read(), (Strings{"start 0", "train 1=1.0", "start 1", "train 2=20.0", "eval 2=0.9"}));
  write({start(1), eval(1, 0.1)});
  EXPECT_EQ(read(), (Strings{"start 0", "train 1=1.0", "start 1", "eval 1=0.1"}));
}

TEST_F(JsonLines, OfOneKindAndStepTheLaterCounts) {
  write({train(1, 1), eval(1, 0.1), train(1, 2), train(2, 3)});
  EXPECT_EQ(read(), (Strings{"eval 1=0.1", "train 1=2.0", "train 2=3.0"}));
}

TEST_F(JsonLines, ATornLastLineIsPassedOverAndCutOff) {
  write({train(1, 1)});
  for (const std::string& torn : {std::string("{\"kind\":\"train\",\"st"), std::string(5000, '\0'), std::string("{")}) {
    append(torn);
    EXPECT_EQ(read(), Strings{"train 1=1.0"});
  }
  write({train(2, 2)});
  EXPECT_EQ(read(), (Strings{"train 1=1.0", "train 2=2.0"}));
  EXPECT_EQ(fixtures::read_all(path_).find('\0'), std::string::npos);
  fixtures::write_all(path_, "{\"kind\":\"tr");  // nothing but a torn line
  EXPECT_TRUE(read().empty());
  write({train(5, 5)});
  EXPECT_EQ(read(), Strings{"train 5=5.0"});
}

TEST_F(JsonLines, AnythingElseThatIsWrongIsAnError) {
  const std::string good = "{\"kind\":\"train\",\"step\":1,\"loss\":1}\n";
  const std::string second = "line 2 of '" + path_ + "' ";
  expect_bad(good + "oops\n" + good, second + "cannot be read as JSON");
  expect_bad(good + "oops\n", second + "cannot be read as JSON");
  expect_bad(good + "[1]\n", second + "is no JSON object");
  expect_bad(good + "{\"step\":1}\n", second + "has no 'kind'");
  expect_bad(good + "{\"kind\":\"train\",\"step\":1.5}\n", second + "has no whole number as 'step'");
  expect_bad(good + "{\"kind\":\"train\",\"step\":1,\"loss\":\"low\"}\n",
             second + "gives '\"low\"' for 'loss', which is no number");
  expect_bad(good + "{\"kind\":\"train\",\"step\":1,\"texts\":3}\n", second + "has 'texts' that are no object");
  EXPECT_THROW(read_metrics(folder_.file("none")), Error);
  EXPECT_THROW(json_lines_sink(folder_.file("none/metrics.jsonl")), Error);
}

// A limit on the size of files stands in for a full disk: part of the record fits.
TEST_F(JsonLines, AFullDiskEndsNoRunAndLeavesNoTornLine) {
  const auto sink = json_lines_sink(path_);
  sink->write(train(1, 1));
  // The limit is of all files of the process, that which catches the warning too: room for it.
  sink->write({.kind = "config", .step = 1, .values = {}, .texts = {{"yaml", std::string(4000, 'x')}}});
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit limit = before;
  limit.rlim_cur = std::filesystem::file_size(path_) + 20;
  setrlimit(RLIMIT_FSIZE, &limit);
  testing::internal::CaptureStderr();
  sink->write(train(2, 2));
  sink->write(train(3, 3));
  const std::string said = testing::internal::GetCapturedStderr();
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  sink->write(train(4, 4));  // there is room again
  EXPECT_EQ(read(), (Strings{"train 1=1.0", "config 1", "train 4=4.0"}));
  EXPECT_EQ(said, "[warning] [metrics] '" + path_ +
                      "' could not be written: File too large; the run goes on, and so do attempts\n");
}

}  // namespace
}  // namespace strata::io
