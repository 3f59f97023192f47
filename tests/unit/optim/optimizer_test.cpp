// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "backends/reference/reference.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/small_parameters.hpp"

namespace strata::optim {
namespace {

using fixtures::expect_error;
using fixtures::small_parameter;
constexpr StepValues kValues{1e-2, 0.1};

class OptimizerTest : public ::testing::Test {
 protected:
  const KernelTable table_ = make_reference_table();
  Context ctx_{make_reference_backend(), table_};

  static std::vector<nn::ParameterPtr> model() {
    return {small_parameter("a.weight", {2, 3}, {}, 1), small_parameter("a.bias", {3}, {}, 2),
            small_parameter("b.weight", {4, 2}, {}, 3)};
  }
  // A gradient that differs by element, parameter and step.
  void set_gradients(const std::vector<nn::ParameterPtr>& parameters, int step) const {
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      std::vector<double> values(static_cast<std::size_t>(parameters[k]->value().numel()));
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<double>((7 * i + 3 * k + 5 * static_cast<std::size_t>(step)) % 11) - 5.5;
      parameters[k]->set_grad(ctx_.tensor(values, parameters[k]->value().shape()));
    }
  }
  std::vector<std::vector<double>> values(const std::vector<nn::ParameterPtr>& parameters) const {
    std::vector<std::vector<double>> all;
    for (const auto& p : parameters) all.push_back(ctx_.to_host<double>(p->value()));
    return all;
  }
  std::vector<std::vector<double>> train(Optimizer& optimizer, const std::vector<nn::ParameterPtr>& parameters,
                                         int begin, int end) {
    for (int step = begin; step < end; ++step) {
      set_gradients(parameters, step);
      optimizer.step(ctx_, kValues);
    }
    return values(parameters);
  }
};

OptimizerConfig config_of(Algorithm algorithm) {
  OptimizerConfig config;
  config.algorithm = algorithm;
  if (algorithm == Algorithm::sgd) config.momentum = 0.9;
  return config;
}

TEST_F(OptimizerTest, GroupsDecideRateDecayAndFreezing) {
  OptimizerConfig sgd;
  sgd.algorithm = Algorithm::sgd;
  const auto parameters = model();
  auto rules = no_decay_rules();
  rules.push_back({.name = "b.*", .lr_scale = 100});
  Optimizer optimizer(sgd, parameters, rules);
  for (const auto& p : parameters)
    p->set_grad(
        ctx_.tensor(std::vector<double>(static_cast<std::size_t>(p->value().numel()), 1.0), p->value().shape()));
  optimizer.step(ctx_, kValues);
  EXPECT_DOUBLE_EQ(values(parameters)[0][0], 1 - 1e-2 * (1 + 0.1 * 1));
  EXPECT_DOUBLE_EQ(values(parameters)[1][0], 2 - 1e-2);
  EXPECT_DOUBLE_EQ(values(parameters)[2][0], 3 - 1e-2 * 100 * (1 + 0.1 * 3));
}

TEST_F(OptimizerTest, FrozenParametersKeepTheirValuesAndHaveNoState) {
  const auto parameters = model();
  Optimizer optimizer({}, parameters, {{.name = "a.*", .frozen = true}});
  parameters[2]->set_trainable(false);
  const auto before = values(parameters);
  EXPECT_EQ(train(optimizer, parameters, 0, 2), before);
  EXPECT_TRUE(optimizer.state().empty());
  parameters[2]->set_trainable(true);
  EXPECT_NE(train(optimizer, parameters, 0, 1), before);
  ASSERT_EQ(optimizer.state().size(), 3u);
  EXPECT_EQ(optimizer.state()[0].name, "b.weight.exp_avg");
  EXPECT_EQ(*optimizer.state()[2].value.data<std::int64_t>(), 1);
}

// Bias correction counts a parameter's own steps.
TEST_F(OptimizerTest, AParameterThatThawsLaterStartsItsOwnCount) {
  const auto late = model(), fresh = model();
  Optimizer optimizer({}, late), other({}, {fresh[0]});
  late[0]->set_trainable(false);
  train(optimizer, late, 0, 3);
  late[0]->set_trainable(true);
  train(optimizer, late, 3, 5);
  for (int step = 3; step < 5; ++step) {
    set_gradients(fresh, step);
    other.step(ctx_, kValues);
  }
  EXPECT_EQ(values(late)[0], values(fresh)[0]);
}

TEST_F(OptimizerTest, ResumesFromItsStateExactly) {
  for (const auto algorithm : {Algorithm::adamw, Algorithm::adam, Algorithm::sgd, Algorithm::lion, Algorithm::lamb}) {
    SCOPED_TRACE(name_of(algorithm));
    const auto straight = model(), broken = model();
    Optimizer whole(config_of(algorithm), straight), first(config_of(algorithm), broken),
        second(config_of(algorithm), broken);
    const auto expected = train(whole, straight, 0, 6);
    train(first, broken, 0, 3);
    second.create_state(ctx_);
    const auto from = first.state(), to = second.state();
    ASSERT_EQ(from.size(), to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      ASSERT_EQ(from[i].name, to[i].name);
      ASSERT_EQ(from[i].value.spec(), to[i].value.spec());
      std::copy_n(static_cast<const std::byte*>(from[i].value.raw()), from[i].value.bytes(),
                  static_cast<std::byte*>(to[i].value.raw()));
    }
    EXPECT_EQ(train(second, broken, 3, 6), expected);
  }
}

TEST_F(OptimizerTest, OwnersOfRangesTogetherDoTheSameStep) {
  const auto whole = model(), parts = model();
  Optimizer one({}, whole);
  Optimizer low({}, shares_of_range(parts, 0, 7)), high({}, shares_of_range(parts, 7, 17));
  ASSERT_EQ(low.shares().size(), 2u);
  EXPECT_EQ(low.shares()[1].end, 1);
  EXPECT_EQ(high.shares()[0].begin, 1);
  for (int step = 0; step < 4; ++step) {
    set_gradients(whole, step);
    set_gradients(parts, step);
    one.step(ctx_, kValues);
    low.step(ctx_, kValues);
    high.step(ctx_, kValues);
  }
  EXPECT_EQ(values(whole), values(parts));
  const auto state = low.state();
  EXPECT_EQ(state[3].name, "a.bias.exp_avg");
  EXPECT_EQ(state[3].value.shape(), Shape({1}));
  EXPECT_EQ(state[3].end, 1);
}

TEST_F(OptimizerTest, WritesTheComputeCopyInTheSamePass) {
  const auto parameter = std::make_shared<nn::Parameter>("w", ctx_.zeros(DType::bf16, {5}),
                                                         std::vector<LogicalAxis>{{"axis", 5}}, nn::Init{});
  parameter->set_master(ctx_.tensor(std::vector<float>{1, 2, 3, 4, 5}, {5}));
  parameter->set_grad(ctx_.tensor(std::vector<float>{1, -1, 0.5, 2, 0}, {5}));
  const auto version = parameter->value().storage()->version();
  Optimizer optimizer({}, {parameter});
  optimizer.step(ctx_, {0.125, 0});
  const auto master = ctx_.to_host<float>(parameter->master());
  const auto copy = ctx_.to_host<BFloat16>(parameter->value());
  EXPECT_NE(master[0], 1);
  for (std::size_t i = 0; i < master.size(); ++i) EXPECT_EQ(copy[i].bits, BFloat16(master[i]).bits);
  EXPECT_GT(parameter->value().storage()->version(), version);
}

TEST_F(OptimizerTest, AFactorOfZeroKeepsParametersAndState) {
  const auto parameters = model();
  Optimizer optimizer({}, parameters);
  const auto before = train(optimizer, parameters, 0, 2);
  const auto moment = ctx_.to_host<double>(optimizer.state()[0].value);
  parameters[0]->set_grad(ctx_.tensor(std::vector<double>(6, NAN), {2, 3}));
  optimizer.step(ctx_, kValues, ctx_.tensor(std::vector<double>{0}, {1}));
  EXPECT_EQ(values(parameters), before);
  EXPECT_EQ(ctx_.to_host<double>(optimizer.state()[0].value), moment);
}

TEST_F(OptimizerTest, RefusesBadSettings) {
  const auto refuses = [](OptimizerConfig config, const std::string& sentence) {
    expect_error([&] { Optimizer(config, model()); }, ErrorKind::usage, "[optim] " + sentence);
  };
  OptimizerConfig config;
  config.beta2 = 1;
  refuses(config, "adamw with beta2 1: betas are at least 0 and less than 1");
  config = {};
  config.beta1 = -0.1;
  refuses(config, "adamw with beta1 -0.1: betas are at least 0 and less than 1");
  config = {};
  config.eps = -1;
  refuses(config, "adamw with eps -1: eps is 0 or more");
  config = config_of(Algorithm::sgd);
  config.momentum = 1;
  refuses(config, "sgd with momentum 1: momentum is at least 0 and less than 1");
  config.momentum = 0;
  config.nesterov = true;
  refuses(config, "Nesterov's form needs momentum and no dampening: set momentum, e.g. 0.9, and dampening 0");
}

TEST_F(OptimizerTest, RefusesBadParametersAndSteps) {
  const auto parameters = model();
  Optimizer optimizer({}, parameters);
  expect_error([&] { optimizer.step(ctx_, kValues); }, ErrorKind::usage,
               "[optim] a.weight has no gradient: give backward the trainable parameters, so that unused ones get "
               "zeros, or freeze it");
  set_gradients(parameters, 0);
  expect_error(
      [&] {
        optimizer.step(ctx_, {-1e-3, 0});
      },
      ErrorKind::usage, "[optim] a step with learning rate -0.001: learning rates are 0 or more");
  expect_error(
      [&] {
        optimizer.step(ctx_, {1e-3, -1});
      },
      ErrorKind::usage, "[optim] a step with weight decay -1: weight decay is 0 or more");
  expect_error(
      [&] {
        Optimizer({}, {parameters[0], parameters[0]});
      },
      ErrorKind::usage,
      "[optim] parameter 'a.weight' was given twice: names must differ: walk the module tree from its root");
  expect_error([&] { Optimizer(config_of(Algorithm::lamb), shares_of_range(parameters, 0, 7)); }, ErrorKind::usage,
               "[optim] lamb was given a part of a.bias, but its trust ratio is a norm over the whole: use adamw, or a "
               "plan that keeps "
               "parameters whole");
}

TEST_F(OptimizerTest, NoParametersIsAStepThatDoesNothing) {
  Optimizer optimizer({}, std::vector<nn::ParameterPtr>{});
  optimizer.step(ctx_, kValues);
  EXPECT_TRUE(optimizer.state().empty());
}

TEST(Algorithms, OfferTheNearestName) {
  EXPECT_EQ(parse_algorithm("lamb"), Algorithm::lamb);
  EXPECT_EQ(name_of(Algorithm::adamw), "adamw");
  expect_error([] { parse_algorithm("adamW"); }, ErrorKind::usage,
               "[optim] unknown optimizer 'adamW': did you mean 'adamw'?");
}

}  // namespace
}  // namespace strata::optim
