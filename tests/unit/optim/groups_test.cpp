// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/groups.hpp"

#include <gtest/gtest.h>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/small_parameters.hpp"

namespace strata::optim {
namespace {

using fixtures::small_parameter;

std::vector<nn::ParameterPtr> model() {
  return {small_parameter("cls_token", {1, 1, 6}, {{"prefix", 1}, {"channels", 1}, {"embed", 6}}),
          small_parameter("blocks.0.norm1.weight", {6}),
          small_parameter("blocks.0.attn.qkv.weight", {18, 6}),
          small_parameter("blocks.0.attn.qkv.bias", {18}),
          small_parameter("head.norm.scale", {2, 3}),
          small_parameter("logit_scale", {}),
          small_parameter("classifier.weight", {2, 6}),
          small_parameter("classifier.bias", {2})};
}

std::vector<double> decays(const std::vector<GroupSettings>& settings) {
  std::vector<double> list;
  for (const auto& one : settings) list.push_back(one.decay_scale);
  return list;
}

TEST(Groups, PublishedRuleDecaysMatricesAndTheClassTokenAlone) {
  EXPECT_EQ(decays(assign_settings(no_decay_rules(), model())), (std::vector<double>{1, 0, 1, 0, 0, 0, 1, 0}));
}

TEST(Groups, ALaterRuleOverridesOnlyWhatItNames) {
  auto rules = no_decay_rules();
  rules.push_back({.name = "classifier.*", .lr_scale = 100});
  rules.push_back({.name = "*.bias", .lr_scale = 2});
  rules.push_back({.name = "blocks.*", .frozen = true});
  const auto settings = assign_settings(rules, model());
  EXPECT_EQ(settings[6], (GroupSettings{100, 1, false}));
  EXPECT_EQ(settings[7], (GroupSettings{2, 0, false}));
  EXPECT_EQ(settings[3], (GroupSettings{2, 0, true}));
  EXPECT_EQ(settings[0], (GroupSettings{1, 1, false}));
}

TEST(Groups, RulesSeeDimensionsAndLogicalAxes) {
  const auto settings = assign_settings(
      {{.axis = "prefix", .decay_scale = 0.5}, {.least_ndim = 2, .most_ndim = 2, .lr_scale = 3}}, model());
  EXPECT_EQ(settings[0], (GroupSettings{1, 0.5, false}));
  EXPECT_EQ(settings[2], (GroupSettings{3, 1, false}));
  EXPECT_EQ(settings[1], (GroupSettings{1, 1, false}));
}

TEST(Groups, PatternsKnowStarAndQuestionMark) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("blocks.?.attn.*", "blocks.3.attn.qkv.weight"));
  EXPECT_FALSE(glob_matches("blocks.?.attn.*", "blocks.11.attn.qkv.weight"));
  EXPECT_TRUE(glob_matches("*norm*", "blocks.0.norm1.weight"));
  EXPECT_TRUE(glob_matches("*a*ab", "aaab"));
  EXPECT_FALSE(glob_matches("*bias", "bias_table"));
  EXPECT_FALSE(glob_matches("", "x"));
  EXPECT_TRUE(glob_matches("weight", "weight"));
}

TEST(Groups, RefusesRulesThatMeetNothingAndBadScales) {
  const auto refuses = [](const GroupRule& rule, const std::string& sentence) {
    fixtures::expect_error([&] { assign_settings({rule}, model()); }, ErrorKind::usage, "[optim] " + sentence);
  };
  refuses(
      {.name = "clasifier.*", .lr_scale = 100},
      "rule 'clasifier.*' matches none of 8 parameters: names are as in the checkpoint; * stands for any characters");
  refuses({.lr_scale = -1}, "rule '*' sets lr_scale to -1: scales are 0 or more");
  refuses({.decay_scale = -0.5}, "rule '*' sets decay_scale to -0.5: scales are 0 or more");
}

}  // namespace
}  // namespace strata::optim
