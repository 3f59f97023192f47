// SPDX-License-Identifier: Apache-2.0
// strata plot: pictures of one run and of several, and what is said when there is nothing to draw.
#include <gtest/gtest.h>

#include <filesystem>

#include "app/plot_run.hpp"
#include "io/image/image.hpp"
#include "io/metrics/metrics.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

class PlotCommand : public testing::Test {
 protected:
  PlotCommand() {
    write_run("first", 4);
    write_run("second", 5);
    fs::create_directory(path("empty"));
  }

  std::string path(const std::string& name) const { return folder_.file(name); }

  void write_run(const std::string& name, double loss) const {
    fs::create_directory(path(name));
    const auto sink = io::json_lines_sink(path(name) + "/metrics.jsonl");
    sink->write(
        {.kind = "start", .step = 0, .values = {{"steps", 100}}, .texts = {{"config", "name: " + name + "\n"}}});
    for (std::int64_t step = 10; step <= 100; step += 10) {
      loss *= 0.9;
      sink->write({.kind = "train",
                   .step = step,
                   .values = {{"loss", loss}, {"lr", 1e-3}, {"studies_per_second", 30.0 + loss}}});
      if (step % 50 == 0)
        sink->write({.kind = "eval",
                     .step = step,
                     .values = {{"eval/loss", loss}, {"eval/auroc", 0.8}, {"eval/recall@1/image_to_text", 0.1}}});
    }
  }

  fixtures::ScratchFolder folder_;
};

int count(const io::Image& image, io::Rgb colour) {
  int found = 0;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) found += std::ranges::equal(image.pixel(x, y), colour) ? 1 : 0;
  return found;
}

constexpr io::Rgb kFirst{0, 114, 178}, kSecond{213, 94, 0}, kThird{0, 158, 115};

TEST_F(PlotCommand, ARunsPictureStandsWithTheRun) {
  const Outcome made = strata("plot " + path("first"));
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.out, "first: 4 panels, 1280 x 840 pixels in '" + path("first/curves.png") + "'\n");
  const io::Image image = io::read_png(path("first/curves.png"));
  EXPECT_EQ(image.width, 1280);
  EXPECT_EQ(image.height, 840);
  EXPECT_GT(count(image, kFirst), 500);
  fs::remove(path("first/curves.png"));
  app::plot_run(path("first"));
  EXPECT_EQ(io::read_png(path("first/curves.png")), image);
}

TEST_F(PlotCommand, SeveralRunsShareEachPanel) {
  const Outcome made = strata("plot --values loss,lr --log --smooth 0.5 " + path("first") + "/ " +
                              path("second/metrics.jsonl") + " --to " + path("both.png"));
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.out, "2 runs: 3 panels, 1280 x 840 pixels in '" + path("both.png") + "'\n");
  const io::Image image = io::read_png(path("both.png"));
  for (const auto& colour : {kFirst, kSecond}) EXPECT_GT(count(image, colour), 500);
  EXPECT_EQ(count(image, kThird), 0);
}

TEST_F(PlotCommand, PatternsNameManyValues) {
  const Outcome made = strata("plot " + path("first") + " --values 'eval/*' --to " + path("a.png"));
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.out, "first: 1 panel, 640 x 440 pixels in '" + path("a.png") + "'\n");
  EXPECT_GT(count(io::read_png(path("a.png")), kThird), 100);
}

TEST_F(PlotCommand, WhatARunKilledInTheMiddleLeftIsDrawn) {
  const std::string file = path("first/metrics.jsonl");
  fixtures::write_all(file, fixtures::read_all(file) + "{\"kind\":\"train\",\"ste");
  EXPECT_EQ(strata("plot " + path("first")).code, 0);
}

TEST_F(PlotCommand, Errors) {
  expect_failure("plot " + path("none"), 3,
                 "error (data): [plot] there is no run '" + path("none") +
                     "'\n  try:   give the folder of a run: output/name of its configuration\n");
  expect_failure("plot " + path("empty"), 3,
                 "error (data): [plot] '" + path("empty") +
                     "' holds no metrics.jsonl\n  try:   give the folder of a run: output/name of its configuration\n");
  expect_failure("plot " + path(""), 3,
                 "error (data): [plot] '" + path("") + "' holds no metrics.jsonl\n  try:   it holds runs: '" +
                     path("first") + "', '" + path("second") + "'\n");
  expect_failure("plot " + path("first") + " --values los", 2,
                 "error (usage): [plot] no value of the name 'los' was recorded\n  try:   did you mean 'loss'? there "
                 "are: train/loss, train/lr, train/studies_per_second, eval/auroc, eval/loss, "
                 "eval/recall@1/image_to_text\n");
  expect_failure("plot " + path("first") + " --smooth 1", 2,
                 "error (usage): [plot] the past cannot weigh 1\n  try:   give a value from 0 to below 1, as 0.9\n");
  expect_failure("plot " + path("first") + " --to a.jpg", 2,
                 "error (usage): [plot] cannot write 'a.jpg'\n  try:   end it in .png\n");
  fixtures::write_all(path("empty/metrics.jsonl"), "");
  expect_failure(
      "plot " + path("empty"), 3,
      "error (data): [plot] '" + path("empty") + "' has recorded no value yet\n  try:   wait for its first steps\n");
  fixtures::write_all(path("empty/metrics.jsonl"), "oops\n");
  expect_failure("plot " + path("empty"), 3,
                 "error (data): [metrics] line 1 of '" + path("empty/metrics.jsonl") +
                     "' cannot be read as JSON\n  try:   each line of the file is one JSON object, as a run writes "
                     "it\n");
}

// No training ends over a picture.
TEST_F(PlotCommand, ARunWithoutCurvesIsAWarning) {
  testing::internal::CaptureStderr();
  EXPECT_NO_THROW(app::plot_run(path("none")));
  EXPECT_TRUE(testing::internal::GetCapturedStderr().starts_with("[warning] [plot] no curves were drawn: [plot] "));
}

}  // namespace
}  // namespace strata::cli
