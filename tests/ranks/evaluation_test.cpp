// SPDX-License-Identifier: Apache-2.0
//
// Held-out studies, encoded and judged by several ranks, against one rank and against each study alone.
#include "strata/engine/evaluation.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "parallel/comm/local.hpp"
#include "strata/io/host_copy.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_training.hpp"
#include "tests/support/worlds.hpp"

namespace strata::engine {
namespace {

constexpr fixtures::TrainingForm kDual{.dual = true};

std::vector<data::WeightedSet> studies(int copies) {
  fixtures::MemorySourceOptions options;
  options.studies = 14;
  options.max_scans = 3;
  options.labels = {"age", "number"};
  options.grid.extents = {4, 16, 16};
  const auto source =
      data::select_studies(std::make_shared<fixtures::MemorySource>(options), {.with_report = true});  // 11
  return std::vector<data::WeightedSet>(static_cast<std::size_t>(copies), {source});
}

data::Loader loader(comm::Communicator& world, int copies, std::int64_t batch) {
  auto options = fixtures::small_loading(batch, 3, world.rank(), world.size());
  options.order = data::StudyOrder::sequential;
  return data::Loader(studies(copies), options);
}

ZeroShotSpec label_set() {
  ZeroShotSpec spec;
  spec.name = "numbers";
  spec.positive_from = 6;
  spec.templates = {"{}", "memory - {}"};
  ZeroShotClass age, number;
  age.name = "age";
  age.prompts = {"memory-12", "13"};
  age.negatives = {"memory-1"};
  number.name = "late";
  number.columns = {"number"};
  number.prompts = {"9"};
  number.negatives = {"0", "3"};
  spec.classes = {age, number};
  return spec;
}

void expect_equal(const Tensor& a, const Tensor& b, double tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  for (std::int64_t i = 0; i < a.numel(); ++i)
    ASSERT_NEAR(static_cast<double>(a.data<float>()[i]), static_cast<double>(b.data<float>()[i]), tolerance);
}

TEST(EncodeStudies, StandInTheOrderOfTheSetsOnEveryRank) {
  testing::each_world([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    const auto model = fixtures::small_objective(device.ctx, kDual);
    const auto reading = fixtures::small_reading(kDual);
    const auto alone = comm::make_local();
    auto shared_loader = loader(world, 2, 9), own_loader = loader(*alone, 2, 1);  // one: each study by itself
    const auto all = encode_studies(device.ctx, *model, shared_loader, reading, world);
    const auto each = encode_studies(device.ctx, *model, own_loader, reading, *alone);
    ASSERT_EQ(all.studies(), 22);
    EXPECT_EQ(all.images.shape(), (Shape{22, 2, 8}));
    ASSERT_EQ(all.texts.size(), 2U);
    EXPECT_EQ(all.keys, each.keys);
    EXPECT_EQ(all.keys[0], "memory-1");
    EXPECT_EQ(all.keys[11], "memory-1");
    EXPECT_EQ(all.sets[10], 0);
    EXPECT_EQ(all.sets[11], 1);
    EXPECT_EQ(all.readings, each.readings);
    EXPECT_EQ(all.label_names, (std::vector<std::string>{"age", "number"}));
    EXPECT_EQ(all.labels[1], 1.f);
    EXPECT_EQ(all.labels[2 * 10 + 1], 13.f);
    expect_equal(all.images, each.images, 1e-6);
    expect_equal(all.texts[0], each.texts[0], 1e-6);
    expect_equal(all.texts[1], each.texts[1], 1e-6);
  });
}

TEST(EncodeStudies, WithoutATokenizerGiveImagesAlone) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    const auto model = fixtures::small_objective(device.ctx, {});
    auto held_out = loader(world, 1, 4);
    std::int64_t heard = -1;
    const auto all = encode_studies(device.ctx, *model, held_out, {}, world, [&](std::int64_t done) { heard = done; });
    EXPECT_EQ(all.images.shape(), (Shape{11, 1, 8}));
    EXPECT_TRUE(all.texts.empty());
    EXPECT_TRUE(all.readings.empty());
    EXPECT_GE(heard, world.size() > 3 ? 0 : 1);
    const auto again = encode_studies(device.ctx, *model, held_out, {}, world);
    expect_equal(all.images, again.images, 0);
  });
}

TEST(Evaluation, IsTheSameOnAnyNumberOfRanksAndLeavesGradientsAlone) {
  testing::each_world([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    const auto model = fixtures::small_objective(device.ctx, {});
    const auto reading = fixtures::small_reading({});
    const auto alone = comm::make_local();
    auto shared_loader = loader(world, 1, 4), own_loader = loader(*alone, 1, 4);
    const ZeroShotSpec spec = label_set();
    const auto ours = evaluate(device.ctx, *model, shared_loader, reading, &spec, world);
    const auto one = evaluate(device.ctx, *model, own_loader, reading, &spec, *alone);
    ASSERT_EQ(ours.values.size(), 1U + 6U + 3U);
    for (std::size_t i = 0; i < ours.values.size(); ++i) {
      EXPECT_EQ(ours.values[i].first, one.values[i].first);
      EXPECT_NEAR(ours.values[i].second, one.values[i].second, 1e-6) << ours.values[i].first;
      EXPECT_TRUE(std::isfinite(ours.values[i].second)) << ours.values[i].first;
    }
    EXPECT_NE(ours.find("eval/auroc/late"), nullptr);
    EXPECT_EQ(ours.find("eval/auroc/number"), nullptr);
    EXPECT_EQ(ours.studies, 11);
    EXPECT_EQ(ours.identical_reports, 0);
    for (const auto& parameter : model->parameters()) EXPECT_FALSE(parameter->grad().defined()) << parameter->name();
  });
}

TEST(Evaluation, CountsAStudyTwiceAsATie) {
  testing::run_ranks([](comm::Communicator& world) {
    fixtures::ReferenceDevice device;
    const auto model = fixtures::small_objective(device.ctx, {});
    auto held_out = loader(world, 2, 5);
    const auto result =
        evaluate(device.ctx, *model, held_out, fixtures::small_reading({}), nullptr, world, {.recall_at = {1, 22}});
    EXPECT_EQ(result.identical_reports, 22);
    EXPECT_LE(*result.find("eval/recall@1/text_to_image"), 0.5);
    EXPECT_EQ(*result.find("eval/recall@22/image_to_text"), 1);
    EXPECT_EQ(result.find("eval/auroc"), nullptr);
  });
}

// CLIP's loss of rows [first, first + rows), written down once more.
double clip_of(const EncodedStudies& all, std::int64_t first, std::int64_t rows, double scale) {
  const std::int64_t width = all.images.dim(2);
  const auto cosine = [&](std::int64_t i, std::int64_t j) {
    double ab = 0, aa = 0, bb = 0;
    for (std::int64_t c = 0; c < width; ++c) {
      const double a = all.images.data<float>()[(first + i) * width + c];
      const double b = all.texts[0].data<float>()[(first + j) * width + c];
      ab += a * b, aa += a * a, bb += b * b;
    }
    return scale * ab / std::sqrt(aa * bb);
  };
  double loss = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    double across = 0, down = 0;
    for (std::int64_t j = 0; j < rows; ++j) across += std::exp(cosine(i, j)), down += std::exp(cosine(j, i));
    loss += 0.5 * (std::log(across) + std::log(down)) - cosine(i, i);
  }
  return loss / static_cast<double>(rows);
}

TEST(Evaluation, LossIsTheMeanOverFullGroups) {
  fixtures::ReferenceDevice device;
  const auto model = fixtures::small_objective(device.ctx, {});
  const auto alone = comm::make_local();
  auto held_out = loader(*alone, 1, 4);
  const auto all = encode_studies(device.ctx, *model, held_out, fixtures::small_reading({}), *alone);
  const double scale = std::exp(device.ctx.item(model->logit_scale[0]->value()));
  EXPECT_NEAR(held_out_loss(device.ctx, *model, all, 4), (clip_of(all, 0, 4, scale) + clip_of(all, 4, 4, scale)) / 2,
              1e-5);
  EXPECT_NEAR(held_out_loss(device.ctx, *model, all, 64), clip_of(all, 0, 11, scale), 1e-5);
}

}  // namespace
}  // namespace strata::engine
