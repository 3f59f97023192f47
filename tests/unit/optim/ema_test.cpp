// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/ema.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "backends/reference/reference.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/small_parameters.hpp"

namespace strata::optim {
namespace {

using fixtures::expect_error;
using fixtures::small_parameter;

class EmaTest : public ::testing::Test {
 protected:
  const KernelTable table_ = make_reference_table();
  Context ctx_{make_reference_backend(), table_};
  std::vector<nn::ParameterPtr> parameters_{small_parameter("w", {2, 2}, {}, 1), small_parameter("b", {}, {}, 4)};

  void set(std::size_t i, double value) {
    for (std::int64_t k = 0; k < parameters_[i]->value().numel(); ++k)
      parameters_[i]->value().data<double>()[k] = value;
  }
  double weight(std::size_t i) const { return parameters_[i]->value().data<double>()[0]; }
};

TEST_F(EmaTest, FollowsTheClosedForm) {
  Ema ema(ctx_, parameters_);
  double expected = 1;
  for (int step = 0; step < 5; ++step) {
    set(0, 2.0 * step);
    ema.update(ctx_, 0.9);
    expected = 0.9 * expected + 0.1 * 2.0 * step;
  }
  EXPECT_EQ(ema.updates(), 5);
  ASSERT_EQ(ema.state().size(), 3u);
  EXPECT_EQ(ema.state()[0].name, "w.ema");
  EXPECT_EQ(ema.state()[0].value.shape(), Shape({2, 2}));
  EXPECT_NEAR(ema.state()[0].value.data<double>()[3], expected, 1e-15);
  EXPECT_EQ(ema.state()[2].name, "ema.updates");
  EXPECT_EQ(ctx_.item(ema.state()[1].value), 4);
}

TEST_F(EmaTest, SwapsContentsAndBack) {
  Ema ema(ctx_, parameters_);
  set(0, 7);
  const auto storage = parameters_[0]->value().storage();
  const auto version = storage->version();
  with_averages(ctx_, ema, [&] {
    EXPECT_EQ(weight(0), 1);
    EXPECT_EQ(parameters_[0]->value().storage(), storage);
    EXPECT_GT(storage->version(), version);
    EXPECT_TRUE(ema.swapped());
    expect_error([&] { ema.update(ctx_, 0.9); }, ErrorKind::usage,
                 "[ema] an update while the averages stand in the model: swap the weights back first");
  });
  EXPECT_EQ(weight(0), 7);
  EXPECT_FALSE(ema.swapped());
}

TEST_F(EmaTest, BringsTheWeightsBackAfterAnError) {
  Ema ema(ctx_, parameters_);
  set(0, 7);
  EXPECT_THROW(with_averages(ctx_, ema, [] { throw std::runtime_error("evaluation failed"); }), std::runtime_error);
  EXPECT_EQ(weight(0), 7);
}

TEST_F(EmaTest, AveragesMastersAndWritesTheComputeCopyWhenSwapped) {
  const auto parameter = std::make_shared<nn::Parameter>("half", ctx_.zeros(DType::bf16, {3}),
                                                         std::vector<LogicalAxis>{{"axis", 3}}, nn::Init{});
  parameter->set_master(ctx_.tensor(std::vector<float>{1, 2, 3}, {3}));
  Ema ema(ctx_, {parameter});
  parameter->set_master(ctx_.tensor(std::vector<float>{3, 4, 5}, {3}));
  ema.update(ctx_, 0.5);
  ema.swap(ctx_);
  EXPECT_EQ(ctx_.to_host<float>(parameter->master()), (std::vector<float>{2, 3, 4}));
  EXPECT_EQ(static_cast<float>(ctx_.to_host<BFloat16>(parameter->value())[2]), 4);
}

TEST_F(EmaTest, ASwapBackKeepsTheCopyHoweverItWasRounded) {
  const auto parameter = std::make_shared<nn::Parameter>("half", ctx_.zeros(DType::bf16, {1}),
                                                         std::vector<LogicalAxis>{{"axis", 1}}, nn::Init{});
  parameter->set_master(ctx_.tensor(std::vector<float>{1 + 0x1p-10f}, {1}));
  parameter->set_value(ctx_.tensor(std::vector<BFloat16>{BFloat16(1 + 0x1p-7f)}, {1}));  // up, where 1 is nearer
  Ema ema(ctx_, {parameter});
  ema.swap(ctx_);
  EXPECT_EQ(static_cast<float>(ctx_.to_host<BFloat16>(parameter->value())[0]), 1);
  ema.swap(ctx_);
  EXPECT_EQ(static_cast<float>(ctx_.to_host<BFloat16>(parameter->value())[0]), 1 + 0x1p-7f);
}

TEST_F(EmaTest, RefusesADecayOutsideOfZeroToOne) {
  Ema ema(ctx_, parameters_);
  expect_error([&] { ema.update(ctx_, 1.5); }, ErrorKind::usage,
               "[ema] decay 1.5: it lies between 0 and 1, e.g. 0.9995");
}

}  // namespace
}  // namespace strata::optim
