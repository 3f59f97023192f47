// SPDX-License-Identifier: Apache-2.0
//
// Stochastic rounding of compute copies, as the optimizer asks for it.
#include "strata/ops/rounding.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "backends/reference/reference.hpp"
#include "strata/optim/optimizer.hpp"
#include "tests/fixtures/expect_error.hpp"

namespace strata::optim {
namespace {

constexpr float kUnit = 0x1p-7f;  // of bf16 between 1 and 2

class RoundingTest : public ::testing::Test {
 protected:
  const KernelTable table_ = make_reference_table();
  Context ctx_{make_reference_backend(), table_};

  nn::ParameterPtr half(const std::string& name, std::int64_t n, float value) const {
    auto parameter = std::make_shared<nn::Parameter>(name, ctx_.zeros(DType::bf16, {n}),
                                                     std::vector<LogicalAxis>{{"axis", n}}, nn::Init{});
    const std::vector<float> values(static_cast<std::size_t>(n), value);
    parameter->set_master(ctx_.tensor(values, {n}));
    return parameter;
  }
  // Steps of rate `lr` with a gradient of ones.
  void steps(Optimizer& optimizer, int count, double lr) {
    for (const auto& share : optimizer.shares()) {
      const auto n = share.parameter->value().numel();
      share.parameter->set_grad(ctx_.tensor(std::vector<float>(static_cast<std::size_t>(n), 1), {n}));
    }
    for (int i = 0; i < count; ++i) optimizer.step(ctx_, {lr, 0});
  }
  std::vector<float> copy_of(const nn::ParameterPtr& parameter) const {
    std::vector<float> values;
    for (const auto x : ctx_.to_host<BFloat16>(parameter->value())) values.push_back(static_cast<float>(x));
    return values;
  }
};

OptimizerConfig stochastic(Algorithm algorithm = Algorithm::sgd) {
  OptimizerConfig config;
  config.algorithm = algorithm;
  config.rounding = Rounding::stochastic;
  config.seed = 3;
  return config;
}

TEST_F(RoundingTest, TheMeanOfManyIsTheNumber) {
  constexpr std::int64_t n = 1 << 16;
  for (const float part : {0.1f, 0.5f, 0.8f})
    for (const float sign : {1.0f, -1.0f}) {
      const auto parameter = half("w", n, sign * (1 + part * kUnit));
      Optimizer optimizer(stochastic(), {parameter});
      steps(optimizer, 1, 0);
      const auto copy = copy_of(parameter);
      const auto up = static_cast<double>(std::ranges::count(copy, sign * (1 + kUnit)));
      EXPECT_EQ(std::ranges::count(copy, sign) + std::ranges::count(copy, sign * (1 + kUnit)), n);
      EXPECT_NEAR(up / n, static_cast<double>(part), 0.01);  // five deviations
    }
}

TEST_F(RoundingTest, NearestIsTheDefault) {
  const auto parameter = half("w", 64, 1 + 0.4f * kUnit);
  Optimizer optimizer({}, {parameter});
  steps(optimizer, 1, 0);
  EXPECT_EQ(copy_of(parameter), std::vector<float>(64, 1));
}

TEST_F(RoundingTest, MastersStepAsBefore) {
  for (const auto algorithm : {Algorithm::adamw, Algorithm::adam, Algorithm::sgd, Algorithm::lion, Algorithm::lamb}) {
    const auto nearest = half("w", 64, 1.25f), drawn = half("w", 64, 1.25f);
    OptimizerConfig config = stochastic(algorithm);
    Optimizer other(config, {drawn});
    config.rounding = Rounding::nearest;
    Optimizer one(config, {nearest});
    steps(one, 2, 1e-3);
    steps(other, 2, 1e-3);
    EXPECT_EQ(ctx_.to_host<float>(nearest->master()), ctx_.to_host<float>(drawn->master())) << name_of(algorithm);
    EXPECT_NE(copy_of(nearest), copy_of(drawn)) << name_of(algorithm);
  }
}

TEST_F(RoundingTest, NumbersDifferByStepNameAndSeed) {
  const auto a = half("a", 256, 1 + 0.5f * kUnit), b = half("b", 256, 1 + 0.5f * kUnit);
  Optimizer optimizer(stochastic(), {a, b});
  steps(optimizer, 1, 0);
  const auto first = copy_of(a);
  EXPECT_NE(first, copy_of(b));
  steps(optimizer, 1, 0);
  EXPECT_NE(first, copy_of(a));
  auto config = stochastic();
  config.seed = 4;
  Optimizer other(config, {a});
  steps(other, 1, 0);
  EXPECT_NE(first, copy_of(a));
}

TEST_F(RoundingTest, OwnersOfRangesDrawTheSameNumbersAsTheWhole) {
  const std::vector<nn::ParameterPtr> whole{half("a", 21, 1.0001f), half("b", 70, 1.003f)},
      parts{half("a", 21, 1.0001f), half("b", 70, 1.003f)};
  Optimizer one(stochastic(), whole);
  Optimizer low(stochastic(), shares_of_range(parts, 0, 44)), high(stochastic(), shares_of_range(parts, 44, 91));
  ASSERT_EQ(high.shares()[0].begin, 23);
  steps(one, 3, 1e-3);
  steps(low, 3, 1e-3);
  steps(high, 3, 1e-3);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(copy_of(whole[i]), copy_of(parts[i]));
}

TEST_F(RoundingTest, CopiesComeBackFromMastersAndCounts) {
  const auto straight = half("w", 64, 1.25f), resumed = half("w", 64, 1.25f);
  Optimizer one(stochastic(), {straight}), other(stochastic(), {resumed});
  other.restore_copies(ctx_);
  EXPECT_EQ(copy_of(resumed), std::vector<float>(64, 0)) << "before the first step there is nothing to draw";
  steps(one, 3, 1e-3);
  other.create_state(ctx_);
  *other.state().back().value.data<std::int64_t>() = 3;
  resumed->assign(ctx_, ctx_.tensor(ctx_.to_host<float>(straight->master()), {64}));
  EXPECT_NE(copy_of(resumed), copy_of(straight));
  other.restore_copies(ctx_);
  EXPECT_EQ(copy_of(resumed), copy_of(straight));
  steps(one, 1, 1e-3);
  steps(other, 1, 1e-3);
  EXPECT_EQ(copy_of(resumed), copy_of(straight));
}

TEST_F(RoundingTest, RefusesAPlacedPart) {
  const auto parameter = half("w", 4, 1);
  parameter->place(parameter->placement().shard("axis", 0, 2), ctx_.zeros(DType::bf16, {2}));
  parameter->set_master(ctx_.tensor(std::vector<float>{1, 1}, {2}));
  Optimizer optimizer(stochastic(), {parameter});
  fixtures::expect_error([&] { steps(optimizer, 1, 0); }, ErrorKind::usage,
                         "[optim] stochastic rounding was given a placed part of w: use rounding to nearest, or a plan "
                         "that keeps parameters whole");
}

}  // namespace
}  // namespace strata::optim
