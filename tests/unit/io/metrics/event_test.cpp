// SPDX-License-Identifier: Apache-2.0
//
// Event files against published checksums and against what TensorBoard's own writer makes of the same events
// (tools/make_event_golden.py).
#include "io/metrics/event.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "io/metrics/crc32c.hpp"
#include "io/metrics/metrics.hpp"
#include "strata/base/error.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::io {
namespace {

// RFC 3720, appendix B.4, and the check value that catalogues of CRCs give.
TEST(Crc32c, KnownVectors) {
  std::string rising(32, '\0');
  std::iota(rising.begin(), rising.end(), '\0');
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);
  EXPECT_EQ(crc32c(rising), 0x46DD794EU);
  EXPECT_EQ(crc32c(std::string(rising.rbegin(), rising.rend())), 0x113FDB5CU);
}

TEST(Event, BytesAreThoseOfTensorBoardsWriter) {
  const auto golden = nlohmann::json::parse(std::ifstream(STRATA_GOLDEN_DATA "/events.json"));
  const auto time = golden.at("wall_time").get<double>();
  const auto hex = [](const std::string& bytes) {
    std::string text;
    for (const char byte : bytes)
      for (const int digit : {(byte >> 4) & 15, byte & 15}) text += "0123456789abcdef"[digit];
    return text;
  };
  const auto one = [&](std::int64_t step, const auto& add) {
    SummaryBytes summary;
    add(summary);
    return summary_event(time, step, summary);
  };
  const std::map<std::string, std::string> ours{
      {"version", version_event(time)},
      {"start", session_start_event(time, 301)},
      {"scalars", one(300,
                      [](SummaryBytes& summary) {
                        summary.add_scalar("train/loss", 4.125);
                        summary.add_scalar("train/lr", 5e-4);
                      })},
      {"extremes", one(std::int64_t{1} << 40,
                       [](SummaryBytes& summary) {
                         summary.add_scalar("a", HUGE_VAL);
                         summary.add_scalar("b", -1e300);
                         summary.add_scalar("c", 1e-300);
                         summary.add_scalar("d", -0.0);
                       })},
      {"text", one(0, [](SummaryBytes& summary) { summary.add_text("start/config", "    name: run\n    x: ü\n"); })},
      {"long", one(7, [](SummaryBytes& summary) { summary.add_text("t", std::string(300, 'x')); })}};
  ASSERT_EQ(golden.at("records").size(), ours.size());
  for (const auto& [name, event] : ours)
    EXPECT_EQ(hex(tf_record(event)), golden.at("records").at(name).get<std::string>()) << name;
}

std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes.at(at + i));
  return value;
}

// The data of each frame; a wrong checksum or a rest fails the test.
std::vector<std::string> frames_of(const std::string& bytes) {
  std::vector<std::string> frames;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto length = number_at(bytes, at, 8);
    EXPECT_EQ(number_at(bytes, at + 8, 4), masked_crc32c(std::string_view(bytes).substr(at, 8)));
    frames.push_back(bytes.substr(at + 12, length));
    EXPECT_EQ(number_at(bytes, at + 12 + length, 4), masked_crc32c(frames.back()));
    at += 16 + length;
  }
  return frames;
}

std::vector<std::string> files_in(const fixtures::ScratchFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

TEST(EventFileSink, EveryStartIsALaterFileThatBeginsWithAMark) {
  const fixtures::ScratchFolder folder;
  const MetricRecord start{
      .kind = "start", .step = 0, .values = {{"steps", 9}}, .texts = {{"config", "name: a\nlr: 1\n"}}};
  const MetricRecord train{.kind = "train", .step = 1, .values = {{"loss", 2.5}, {"train/lr", 1e-3}}};
  MetricRecord again = start;
  again.step = 300;
  {
    const auto sink = event_file_sink(folder.path());
    sink->write(start);
    sink->write(train);
  }
  event_file_sink(folder.path())->write(again);  // the same second, the same process
  const auto files = files_in(folder);
  ASSERT_EQ(files.size(), 2);
  EXPECT_TRUE(files[0].starts_with("events.out.tfevents.")) << files[0];
  const auto first = frames_of(fixtures::read_all(folder.file(files[0])));
  ASSERT_EQ(first.size(), 4);
  EXPECT_NE(first[0].find("brain.Event:2"), std::string::npos);
  EXPECT_NE(first[2].find("start/config"), std::string::npos);
  EXPECT_EQ(first[2].find("start/steps"), std::string::npos);
  EXPECT_NE(first[2].find("    name: a\n    lr: 1"), std::string::npos);
  EXPECT_NE(first[3].find("train/loss"), std::string::npos);
  EXPECT_NE(first[3].find("train/lr"), std::string::npos);
  EXPECT_EQ(first[3].find("train/train"), std::string::npos);
  const auto second = frames_of(fixtures::read_all(folder.file(files[1])));
  ASSERT_GE(second.size(), 2);
  // TensorBoard forgets the step of the mark as well: 301 keeps what is known of 300.
  EXPECT_EQ(second[1].substr(9), session_start_event(0, 301).substr(9));
}

TEST(EventFileSink, AFolderThatIsNotThere) {
  const fixtures::ScratchFolder folder;
  try {
    event_file_sink(folder.file("none"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::environment);
    EXPECT_EQ(error.message(), "folder '" + folder.file("none") + "' cannot be listed: No such file or directory");
  }
}

}  // namespace
}  // namespace strata::io
