// SPDX-License-Identifier: Apache-2.0
#include "strata/models/hierarchical_vit3d.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "strata/ops/copy.hpp"
#include "strata/ops/elementwise.hpp"
#include "strata/ops/l2_normalize.hpp"
#include "strata/ops/reduce.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/golden_file.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_encoder.hpp"

namespace strata::models {
namespace {

using autograd::Checkpointing;
using fixtures::message_of;
using fixtures::relative_error;

HierarchicalVit3dConfig small() {
  HierarchicalVit3dConfig config = fixtures::small_encoder(3);
  config.slice_blocks = {0};
  config.scan_blocks = {1};
  config.study_blocks = {2};
  return config;
}

class EncoderTest : public testing::Test {
 protected:
  std::unique_ptr<HlipVisualEncoder> model(const HierarchicalVit3dConfig& config, DType dtype = DType::f64) {
    auto encoder = std::make_unique<HlipVisualEncoder>(device_.ctx, dtype, config);
    nn::initialise(device_.ctx, *encoder, 17);
    return encoder;
  }
  StudyBatch batch(const std::vector<std::int64_t>& scans, std::array<std::int64_t, 3> volume = {4, 16, 16}) {
    StudyBatch result;
    result.study_offsets = {0};
    for (const auto n : scans) {
      result.study_offsets.push_back(result.study_offsets.back() + n);
      result.ordinals.push_back(1000 + static_cast<std::int64_t>(result.ordinals.size()));
    }
    std::vector<double> voxels(
        static_cast<std::size_t>(result.study_offsets.back() * volume[0] * volume[1] * volume[2]));
    for (std::size_t i = 0; i < voxels.size(); ++i)
      voxels[i] = std::sin(0.37 * static_cast<double>(i) + std::cos(static_cast<double>(i)));
    result.scans = device_.f64(voxels, {result.study_offsets.back(), 1, volume[0], volume[1], volume[2]});
    return result;
  }
  // Studies [first, last) of a batch as a batch of their own.
  static StudyBatch part(const StudyBatch& whole, std::size_t first, std::size_t last) {
    StudyBatch result = whole;
    result.scans = whole.scans.slice(0, whole.study_offsets[first], whole.study_offsets[last]);
    result.study_offsets = {0};
    for (std::size_t b = first; b < last; ++b)
      result.study_offsets.push_back(whole.study_offsets[b + 1] - whole.study_offsets[first]);
    result.ordinals.assign(whole.ordinals.begin() + static_cast<std::ptrdiff_t>(first),
                           whole.ordinals.begin() + static_cast<std::ptrdiff_t>(last));
    return result;
  }
  Tensor embed(HlipVisualEncoder& encoder, const StudyBatch& studies,
               autograd::Mode mode = {.record = false, .training = false}) {
    Tape tape(device_.ctx, mode);
    return encoder.forward(tape, studies).value();
  }
  std::vector<double> host(const Tensor& t) { return device_.ctx.to_host<double>(t); }

  fixtures::ReferenceDevice device_;
};

TEST_F(EncoderTest, RaggedStudiesEqualEachStudyAlone) {
  const auto encoder = model(small());
  const StudyBatch all = batch({2, 1, 4});
  for (const bool training : {false, true}) {  // in training too: draws are keyed by the study's ordinal
    auto config_mode = autograd::Mode{.record = false, .training = training, .seed = 3};
    const Tensor together = embed(*encoder, all, config_mode);
    for (std::size_t b = 0; b < 3; ++b) {
      const auto at = static_cast<std::int64_t>(b);
      EXPECT_LE(
          relative_error(device_.ctx, embed(*encoder, part(all, b, b + 1), config_mode), together.slice(0, at, at + 1)),
          1e-13)
          << b << training;
    }
  }
}

TEST_F(EncoderTest, TrainingRandomnessDependsOnTheOrdinalAndSeedAlone) {
  auto config = small();
  config.drop_path = 0.5;
  config.patch_dropout = 0.5;
  const auto encoder = model(config);
  const StudyBatch all = batch({2, 3});
  const autograd::Mode mode{.record = false, .training = true, .seed = 3};
  const Tensor together = embed(*encoder, all, mode);
  EXPECT_LE(relative_error(device_.ctx, embed(*encoder, part(all, 1, 2), mode), together.slice(0, 1, 2)), 1e-13);
  EXPECT_EQ(host(embed(*encoder, all, mode)), host(together));
  EXPECT_NE(host(embed(*encoder, all, {.record = false, .training = true, .seed = 4})), host(together));
}

TEST_F(EncoderTest, CheckpointingNeverChangesABitOfTheGradients) {
  auto config = small();
  config.drop_path = 0.3;
  config.patch_dropout = 0.5;
  config.register_tokens = 2;
  config.head = Head::dinotxt;
  auto gradients = [&](Checkpointing mode) {
    const auto encoder = model(config);
    Tape tape(device_.ctx, {.training = true, .checkpointing = mode, .seed = 8});
    const Variable e = encoder->forward(tape, batch({2, 3}));
    EXPECT_EQ(e.shape(), (Shape{2, 3, 8}));
    const auto trained = encoder->trainable_parameters();
    tape.backward(tape.apply1(ops::Reduce{.everything = true}, {tape.apply1(ops::Mul{}, {e, e})}),
                  std::vector<std::shared_ptr<autograd::Leaf>>(trained.begin(), trained.end()));
    std::vector<double> values;
    for (const auto& parameter : trained)
      for (const double v : host(parameter->grad())) values.push_back(v);
    return values;
  };
  const auto none = gradients(Checkpointing::none);
  EXPECT_EQ(none, gradients(Checkpointing::selective));
  EXPECT_EQ(none, gradients(Checkpointing::full));
}

TEST_F(EncoderTest, FiniteDifferencesOfTheWholeModel) {
  const auto encoder = model(small());
  std::vector<double> cls(
      24);  // a class token as small as it starts makes the first norm too curved for finite differences
  for (std::size_t i = 0; i < cls.size(); ++i) cls[i] = std::sin(static_cast<double>(i));
  encoder->trunk.cls_token->set_value(device_.f64(cls, {1, 1, 24}));
  const StudyBatch studies = batch({1, 2});
  auto loss = [&](Tape& tape) {
    const Variable e = tape.apply1(ops::L2Normalize{}, {encoder->forward(tape, studies)});
    return tape.apply1(
        ops::Reduce{.everything = true},
        {tape.apply1(ops::Mul{},
                     {e, tape.constant(device_.f64({1, -2, 3, 0.5, 0.1, 0.7, -1, 2, 1, 1, -1, 2, 0.3, 0.2, 0.1, -0.5},
                                                   {2, 8}))})});
  };
  Tape tape(device_.ctx, {.training = false});
  tape.backward(loss(tape));
  for (const auto& parameter : encoder->trainable_parameters()) {
    auto values = host(parameter->value());
    const auto gradient = host(parameter->grad());
    const std::size_t i = values.size() / 3;
    double ends[2];
    constexpr double kStep = 1e-5;
    for (int side = 0; side < 2; ++side) {
      auto moved = values;
      moved[i] += side == 0 ? kStep : -kStep;
      parameter->set_value(device_.f64(moved, parameter->spec().shape));
      Tape forward(device_.ctx, {.record = false, .training = false});
      ends[side] = device_.ctx.item(loss(forward).value());
    }
    parameter->set_value(device_.f64(values, parameter->spec().shape));
    EXPECT_NEAR(gradient[i], (ends[0] - ends[1]) / (2 * kStep), 1e-7 * std::max(1.0, std::abs(gradient[i])))
        << parameter->name();
  }
}

TEST_F(EncoderTest, MoreScansThanTheTable) {
  const auto encoder = model(small());
  const StudyBatch studies = batch({6});
  EXPECT_EQ(embed(*encoder, studies).shape(), (Shape{1, 8}));  // evaluation: the table is resampled

  const StudyBatch chosen = select_scans(device_.ctx, studies, 4, 9);  // training: a keyed subset, in order
  EXPECT_EQ(chosen.study_offsets, (std::vector<std::int64_t>{0, 4}));
  const autograd::Mode mode{.record = false, .training = true, .seed = 9};
  EXPECT_EQ(host(embed(*encoder, studies, mode)), host(embed(*encoder, chosen, mode)));

  auto unlimited = small();
  unlimited.max_scans = 0;
  EXPECT_EQ(embed(*model(unlimited), batch({9}), mode).shape(), (Shape{1, 8}));

  auto single = small();
  single.max_scans = 1;
  EXPECT_EQ(message_of(
                [&] {
                  embed(*model(single), batch({1, 2}));
                },
                ErrorKind::usage),
            "[small] takes one scan a study, but study 1 of the batch has 2: choose one scan a study, or a multi-scan "
            "variant");
}

TEST_F(EncoderTest, IntegerVoxelsAreNormalisedOnTheDevice) {
  const auto encoder = model(small());
  StudyBatch bytes = batch({1});
  std::vector<std::uint8_t> raw(static_cast<std::size_t>(bytes.scans.numel()));
  std::vector<double> values(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    raw[i] = static_cast<std::uint8_t>(i * 7);
    values[i] = (raw[i] / 255.0 - 0.449) / 0.226;
  }
  StudyBatch doubles = bytes;
  doubles.scans = device_.f64(values, bytes.scans.shape());
  bytes.scans = device_.ctx.tensor(raw, bytes.scans.shape());
  normalise_intensity(bytes, 255);
  EXPECT_LE(relative_error(device_.ctx, embed(*encoder, bytes), embed(*encoder, doubles)), 1e-13);
}

TEST_F(EncoderTest, BadInputIsSaid) {
  const auto encoder = model(small());
  EXPECT_EQ(message_of(
                [&] {
                  embed(*encoder, batch({1}, {5, 16, 16}));
                },
                ErrorKind::usage)
                .rfind("[patch embedding]", 0),
            0u);
  StudyBatch wrong = batch({1});
  wrong.study_offsets = {0, 2};
  EXPECT_EQ(message_of([&] { embed(*encoder, wrong); }, ErrorKind::data),
            "[study batch] study offsets end at 2 but there are 1 scans");
  StudyBatch forgotten = batch({2, 1});
  forgotten.ordinals.pop_back();
  EXPECT_EQ(message_of([&] { embed(*encoder, forgotten, {.record = false}); }, ErrorKind::data),
            "[study batch] 1 ordinals for 2 studies");
  forgotten = batch({2, 1});
  forgotten.study_offsets = {1, 2, 3};
  EXPECT_EQ(message_of([&] { embed(*encoder, forgotten); }, ErrorKind::data),
            "[study batch] study offsets must begin with 0 and never fall");
  StudyBatch flat = batch({1});
  flat.scans = device_.ctx.empty(DType::f64, {1, 1, 0, 16, 16});
  EXPECT_EQ(message_of([&] { embed(*encoder, flat); }, ErrorKind::data),
            "[study layout] scans have no voxels along an axis: leave empty scans out of the batch");
  StudyBatch none;
  EXPECT_EQ(message_of([&] { embed(*encoder, none); }, ErrorKind::usage),
            "[study batch] scans must be [S, channels, D, H, W]");
  StudyBatch positions = batch({2});
  positions.scan_positions = {0, 4};
  EXPECT_EQ(message_of([&] { embed(*encoder, positions); }, ErrorKind::usage),
            "[scan positions] row 4 does not exist in a table of 4 rows: raise max_scans or give other positions");
}

TEST_F(EncoderTest, ARegroupIsReplaceable) {
  struct Counting final : nn::Regroup {
    explicit Counting(int& calls) : calls_(calls) {}
    nn::Tokens forward(Tape& tape, const nn::Tokens& tokens, nn::Level to) override {
      ++calls_;
      return Regroup::forward(tape, tokens, to);
    }
    int& calls_;
  };
  const auto encoder = model(small());
  const auto before = host(embed(*encoder, batch({2})));
  int calls = 0;
  encoder->trunk.set_regroup(1, std::make_unique<Counting>(calls));
  EXPECT_EQ(host(embed(*encoder, batch({2}))), before);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(&encoder->find("trunk.regroups.1"), &encoder->trunk.regroup(1));
}

TEST(Variants, HaveThePublishedSizes) {
  EXPECT_EQ(hierarchical_vit3d_variant("vit_base_multiscan_h2_token1176").grid(),
            (std::array<std::int64_t, 3>{6, 14, 14}));
  EXPECT_EQ(hierarchical_vit3d_variant("vit_base_multiscan_h2_token588").grid(),
            (std::array<std::int64_t, 3>{3, 14, 14}));
  EXPECT_EQ(hierarchical_vit3d_variant("vit_base_singlescan_h2_token2744").grid(),
            (std::array<std::int64_t, 3>{14, 14, 14}));
  const auto h3 = hierarchical_vit3d_variant("vit_base_multiscan_h3_token1176");
  EXPECT_EQ(h3.slice_blocks, (std::vector<std::int64_t>{0, 3, 6, 9}));
  EXPECT_EQ(h3.scan_blocks, (std::vector<std::int64_t>{1, 4, 7, 10}));
  EXPECT_EQ(h3.study_blocks, (std::vector<std::int64_t>{2, 5, 8, 11}));
  const auto large = hierarchical_vit3d_variant("vit_large_multiscan_h2_token1568_dinotxt");
  EXPECT_EQ(large.study_blocks, (std::vector<std::int64_t>{2, 5, 8, 11, 14, 17, 20, 23}));
  EXPECT_EQ(large.joint_width, 768);
  for (const auto& name : hierarchical_vit3d_variants()) hierarchical_vit3d_variant(name).validate();
  EXPECT_EQ(
      message_of([] { hierarchical_vit3d_variant("vit_base_multiscan_h2_token1167"); }, ErrorKind::usage),
      "[model] unknown variant 'vit_base_multiscan_h2_token1167': did you mean 'vit_base_multiscan_h2_token1176'?");
}

TEST_F(EncoderTest, ViTBaseHasItsParametersAndFlops) {
  const auto config = hierarchical_vit3d_variant("vit_base_multiscan_h2_token1176");
  HlipVisualEncoder encoder(device_.ctx, DType::f32, config);
  std::int64_t count = 0;
  for (const auto& parameter : encoder.trainable_parameters()) count += parameter->spec().shape.numel();
  const std::int64_t block = 12 * 768 * 768 + (3 + 1 + 4 + 1) * 768 + 4 * 768;
  EXPECT_EQ(count, 12 * block + 2048 * 768 + 768 + 768 + 2 * 768 + 512 * 768);

  Tape tape(device_.ctx, {.training = false});
  StudyBatch studies;
  studies.scans = device_.ctx.empty(DType::u8, {1, 1, 48, 224, 224});
  studies.study_offsets = {0, 1};
  studies.ordinals = {0};
  const auto layout = encoder.layout(tape, studies);
  const double linear = 2.0 * 1177 * 768 * 768 * 12 * 12, attention = 4.0 * 1177 * 1177 * 768 * 12,
               patches = 2.0 * 1176 * 2048 * 768, head = 2.0 * 768 * 512;
  EXPECT_DOUBLE_EQ(forward_flops(encoder.chain(studies, *layout)), linear + attention + patches + head);
}

TEST(Config, SaysWhatIsWrong) {
  auto config = small();
  config.study_blocks = {1, 2};
  EXPECT_EQ(
      message_of([&] { config.validate(); }, ErrorKind::usage),
      "[small] block 1 has 2 attention levels: name every block once among slice_blocks, scan_blocks and study_blocks");
  config = small();
  config.study_blocks = {7};
  EXPECT_EQ(message_of([&] { config.validate(); }, ErrorKind::usage),
            "[small] an attention level names block 7, but there are 3 blocks");
  config = small();
  config.image = {4, 16, 15};
  EXPECT_EQ(message_of([&] { config.validate(); }, ErrorKind::usage),
            "[small] image 4×16×15 does not divide into patches of 2×8×8: choose sizes that divide on every axis");
  config = small();
  config.drop_path = 1;
  EXPECT_THROW(config.validate(), Error);
}

TEST_F(EncoderTest, StandardisesEachVoxelByItself) {
  auto config = small();
  config.standardise_voxels = true;
  const auto plain = model(small()), standardising = model(config);
  const Shape shape{1, 4, 16, 16};
  std::vector<double> rates, offsets;
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    rates.push_back(0.5 + 0.25 * static_cast<double>(i % 7));
    offsets.push_back(static_cast<double>(i % 5) - 2);
  }
  standardising->trunk.voxel_scale->assign(device_.ctx, device_.f64(rates, shape));
  standardising->trunk.voxel_shift->assign(device_.ctx, device_.f64(offsets, shape));
  StudyBatch studies = batch({2, 1});
  studies.scale = 2;
  studies.shift = -0.5;
  StudyBatch by_hand = studies;
  auto values = device_.ctx.to_host<double>(studies.scans);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t place = i % rates.size();
    values[i] = (values[i] * 2 - 0.5) * rates[place] + offsets[place];
  }
  by_hand.scans = device_.f64(values, studies.scans.shape());
  by_hand.scale = 1;
  by_hand.shift = 0;
  Tape tape(device_.ctx, {.record = false});
  EXPECT_LE(
      relative_error(device_.ctx, standardising->forward(tape, studies).value(), plain->forward(tape, by_hand).value()),
      1e-6);  // buffers and what comes out of them are f32
  // They are state that a checkpoint keeps, and nothing that trains.
  EXPECT_EQ(standardising->parameters().size(), plain->parameters().size() + 2);
  EXPECT_EQ(standardising->trainable_parameters().size(), plain->trainable_parameters().size());
}

TEST_F(EncoderTest, ScansOfAnotherGridThanTheStatisticsAreAnError) {
  auto config = small();
  config.standardise_voxels = true;
  const auto encoder = model(config);
  Tape tape(device_.ctx, {.record = false});
  const auto said = message_of([&] { encoder->forward(tape, batch({1}, {4, 16, 24})); }, ErrorKind::usage);
  EXPECT_NE(said.find("[1, 1, 4, 16, 24] cannot be standardised by statistics of voxels [1, 4, 16, 16]"),
            std::string::npos)
      << said;
}

}  // namespace
}  // namespace strata::models
