// SPDX-License-Identifier: Apache-2.0
#include "strata/engine/micro_batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"

namespace strata::engine {
namespace {

using Sentences = std::vector<std::string>;

TEST(ReportParts, AreCutAtTheHeading) {
  const Sentences report{"FINDINGS: A clot.", "No fracture.", "Impression : Bleed.", "Call us."};
  EXPECT_EQ(part_of(report, ReportPart::report), report);
  EXPECT_EQ(part_of(report, ReportPart::findings), (Sentences{"FINDINGS: A clot.", "No fracture."}));
  EXPECT_EQ(part_of(report, ReportPart::impression), (Sentences{"Impression : Bleed.", "Call us."}));
}

TEST(ReportParts, WithoutTheHeadingAreTheReport) {
  const Sentences report{"Impression of the cortex by a mass.", "No fracture."};
  EXPECT_EQ(part_of(report, ReportPart::findings), report);
  EXPECT_EQ(part_of(report, ReportPart::impression), report);
  EXPECT_EQ(part_of({"CONCLUSION: normal."}, ReportPart::findings), (Sentences{"CONCLUSION: normal."}));
  EXPECT_TRUE(part_of({}, ReportPart::impression).empty());
}

TEST(ReportParts, HaveNames) {
  EXPECT_EQ(parse_report_part("impression"), ReportPart::impression);
  EXPECT_NE(
      fixtures::message_of([] { parse_report_part("impresion"); }, ErrorKind::usage).find("did you mean 'impression'?"),
      std::string::npos);
}

data::Batch two_studies() {
  data::Batch batch;
  batch.scans = host_tensor(DType::u8, {3, 1, 1, 1, 2});
  for (int i = 0; i < 6; ++i) batch.scans.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(50 * i);
  batch.study_offsets = {0, 1, 3};
  batch.ordinals = {10, 11};
  batch.reports = {{"a.", "b.", "c."}, {"b."}};
  batch.labels = {1, 0, 0, 1};
  batch.scale = 1.0 / 200;
  batch.shift = 0.5;
  return batch;
}

TextReading letters() {
  TextReading reading;
  reading.tokenizer = std::make_shared<const text::WordPieceTokenizer>(
      text::WordPieceTokenizer::from_contents("letters", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n.\n"));
  reading.prefix = "c ";
  return reading;
}

TEST(MicroBatch, HoldsStudiesTextsAndLabels) {
  const fixtures::ReferenceDevice device;
  const auto batch = micro_batch(device.ctx, two_studies(), letters());
  EXPECT_EQ(batch.studies.study_offsets, (std::vector<std::int64_t>{0, 1, 3}));
  // A stored 100 is 100/200 + 0.5 = 1, which the model sees as (1 − 0.449)/0.226.
  EXPECT_NEAR(100 * batch.studies.scale + batch.studies.shift, (1 - 0.449) / 0.226, 1e-12);
  ASSERT_EQ(batch.texts.size(), 1U);
  EXPECT_EQ(batch.texts[0].ids, (std::vector<std::int32_t>{2, 7, 5, 8, 6, 8, 7, 8, 3, 2, 7, 6, 8, 3}));
  EXPECT_EQ(batch.texts[0].ordinals, (std::vector<std::int64_t>{10, 11}));
  EXPECT_EQ(batch.labels.shape(), (Shape{2, 2}));
}

TEST(MicroBatch, ShufflesSentencesByOrdinalAlone) {
  const fixtures::ReferenceDevice device;
  auto reading = letters();
  std::vector<std::vector<std::int32_t>> seen;
  for (const std::uint64_t seed : {1U, 1U, 2U, 3U, 4U, 5U}) {
    reading.draws = engine::SentenceDraws{.seed = seed};
    seen.push_back(micro_batch(device.ctx, two_studies(), reading).texts[0].ids);
    auto pieces = seen.back(), plain = seen.front();
    std::ranges::sort(pieces);
    std::ranges::sort(plain);
    EXPECT_EQ(pieces, plain) << "no word is lost";
  }
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_TRUE(std::ranges::any_of(seen, [&](const auto& ids) { return ids != seen[0]; }));
}

TEST(MicroBatch, LeavesSentencesOutInTraining) {
  const fixtures::ReferenceDevice device;
  auto reading = letters();
  std::vector<std::size_t> pieces;  // of the first text: [CLS] c, two a sentence, [SEP]
  for (std::int64_t ordinal = 0; ordinal < 40; ++ordinal) {
    auto batch = two_studies();
    batch.ordinals = {ordinal, 100 + ordinal};
    reading.draws = SentenceDraws{.seed = 3, .shuffle = false, .dropout = 0.5};
    const auto texts = micro_batch(device.ctx, batch, reading).texts[0];
    const auto first = static_cast<std::size_t>(texts.offsets[1]);
    pieces.push_back(first);
    EXPECT_EQ(texts.ids.size() - first, 5U) << "the only sentence stays";
  }
  EXPECT_EQ(*std::ranges::min_element(pieces), 5U);
  EXPECT_EQ(*std::ranges::max_element(pieces), 9U);
}

TEST(MicroBatch, OfNothingIsNothing) {
  const fixtures::ReferenceDevice device;
  EXPECT_TRUE(micro_batch(device.ctx, data::Batch{}, letters()).texts.empty());
}

}  // namespace
}  // namespace strata::engine
