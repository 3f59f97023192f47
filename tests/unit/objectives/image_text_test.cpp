// SPDX-License-Identifier: Apache-2.0
#include "strata/objectives/image_text.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/reference_device.hpp"
#include "tests/fixtures/small_training.hpp"

namespace strata::objectives {
namespace {

std::unique_ptr<ImageTextObjective> make(const Context& ctx, std::int64_t text_width, const ImageTextOptions& options,
                                         bool dual = false) {
  auto visual = fixtures::small_encoder(1);
  visual.study_blocks = {0};
  if (dual) {
    visual.register_tokens = 1;
    visual.head = models::Head::dinotxt;
  }
  return std::make_unique<ImageTextObjective>(
      ctx, std::make_unique<models::HlipVisualEncoder>(ctx, DType::f64, visual),
      std::make_unique<models::BertTextEncoder>(ctx, DType::f64, fixtures::small_text_tower(text_width)), options);
}

TEST(ImageText, TemperaturesStayBetweenOneAndAHundred) {
  const fixtures::ReferenceDevice device;
  Context ctx = device.ctx;
  const auto objective = make(ctx, 8, {});
  auto& scale = *objective->logit_scale.front();
  for (const auto& [set, expected] : {std::pair{7.0, std::log(100.0)}, {-0.5, 0.0}, {2.5, 2.5}}) {
    scale.assign(ctx, device.f64({set}, {}));
    objective->after_step(ctx);
    EXPECT_DOUBLE_EQ(ctx.item(scale.value()), expected);
  }
}

TEST(ImageText, NamesAreThoseOfOpenClip) {
  const fixtures::ReferenceDevice device;
  const auto objective = make(device.ctx, 8, {.kind = ContrastiveKind::siglip}, true);
  std::vector<std::string> scalars;
  for (const auto& parameter : objective->parameters()) {
    const bool tower = parameter->name().starts_with("visual.") || parameter->name().starts_with("text.");
    if (!tower) scalars.push_back(parameter->name());
  }
  EXPECT_EQ(scalars, (std::vector<std::string>{"logit_scale", "logit_bias", "logit_scale_1", "logit_bias_1"}));
  EXPECT_EQ(objective->features().size(), 4U);
}

TEST(ImageText, TowersMustMeet) {
  const fixtures::ReferenceDevice device;
  EXPECT_NE(
      fixtures::message_of([&] { make(device.ctx, 16, {}); }, ErrorKind::usage).find("width 8, the text tower of 16"),
      std::string::npos);
}

TEST(ImageText, ABatchNeedsATextForEachEmbedding) {
  const fixtures::ReferenceDevice device;
  const auto objective = make(device.ctx, 8, {});
  autograd::Tape tape(device.ctx, {.record = false});
  EXPECT_NE(fixtures::message_of([&] { objective->encode(tape, {}); }, ErrorKind::data)
                .find("0 texts a study for 1 image embedding"),
            std::string::npos);
}

}  // namespace
}  // namespace strata::objectives
