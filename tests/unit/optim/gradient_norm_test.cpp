// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/gradient_norm.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "backends/reference/reference.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/small_parameters.hpp"

namespace strata::optim {
namespace {

using fixtures::expect_error;
using fixtures::small_parameter;

class GradientNormTest : public ::testing::Test {
 protected:
  const KernelTable table_ = make_reference_table();
  Context ctx_{make_reference_backend(), table_};
  std::vector<nn::ParameterPtr> parameters_{small_parameter("a", {2}, {}, 1), small_parameter("b", {2}, {}, 1)};
  Optimizer optimizer_{{}, parameters_};

  void set(std::size_t i, std::vector<double> gradient) { parameters_[i]->set_grad(ctx_.tensor(gradient, {2})); }
};

TEST_F(GradientNormTest, ClipsToTheLimitAfterScaling) {
  set(0, {6, 0});
  set(1, {0, 8});
  const auto norm = gradient_norm(ctx_, optimizer_, 0.5, 1);
  EXPECT_DOUBLE_EQ(checked_norm(ctx_, optimizer_, norm), 5);
  EXPECT_DOUBLE_EQ(ctx_.item(norm.factor), 0.5 * 1 / (5 + 1e-6));
  EXPECT_DOUBLE_EQ(ctx_.item(gradient_norm(ctx_, optimizer_, 0.5, 6).factor), 0.5);
  EXPECT_DOUBLE_EQ(ctx_.item(gradient_norm(ctx_, optimizer_, 0.5).factor), 0.5);
}

// Where a plan would add the squares of other ranks: any number of partial sums.
TEST_F(GradientNormTest, LeavesRoomForASumOverRanks) {
  const auto sums = ctx_.tensor(std::vector<double>{9, 16, 0, 144}, {4});
  EXPECT_DOUBLE_EQ(ctx_.item(clip(ctx_, sums).norm), 13);
}

TEST_F(GradientNormTest, SeveralMicroBatchesEqualOne) {
  const std::vector<std::vector<double>> micro{{1, 2}, {-3, 5}, {0.5, 0.25}};
  const auto other = small_parameter("c", {2}, {}, 1);
  Optimizer at_once({}, {other});
  Optimizer piecewise({}, {parameters_[0]});
  other->set_grad(ctx_.tensor(std::vector<double>{(1 - 3 + 0.5) / 3, (2 + 5 + 0.25) / 3}, {2}));
  std::vector<double> sum(2);
  for (const auto& one : micro)
    for (std::size_t i = 0; i < 2; ++i) sum[i] += one[i];
  set(0, sum);
  at_once.step(ctx_, {0.1, 0}, gradient_norm(ctx_, at_once, 1, 1).factor);
  piecewise.step(ctx_, {0.1, 0}, gradient_norm(ctx_, piecewise, 1.0 / 3, 1).factor);
  const auto a = ctx_.to_host<double>(other->value()), b = ctx_.to_host<double>(parameters_[0]->value());
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(a[i], b[i], 1e-15);
}

TEST_F(GradientNormTest, ReportsTheFirstGradientThatIsNotFinite) {
  set(0, {1, 2});
  set(1, {3, NAN});
  const auto norm = gradient_norm(ctx_, optimizer_, 1, 1);
  EXPECT_EQ(ctx_.item(norm.factor), 0);
  expect_error([&] { checked_norm(ctx_, optimizer_, norm); }, ErrorKind::numeric,
               "[optim] the gradient norm is nan; in the gradient of b 1 of 2 elements are not finite, the first (nan) "
               "at 1: look for NaN in "
               "the data, lower the learning rate or warm up longer");
  set(1, {1e200, 0});
  expect_error([&] { checked_norm(ctx_, optimizer_, gradient_norm(ctx_, optimizer_)); }, ErrorKind::numeric,
               "[optim] the gradient norm is inf; in the gradient of b all elements are finite, but their squares "
               "overflow: look for NaN in "
               "the data, lower the learning rate or warm up longer");
  const auto elsewhere = clip(ctx_, ctx_.tensor(std::vector<double>{1, INFINITY}, {2}));
  set(1, {3, 4});
  expect_error(
      [&] {
        checked_norm(ctx_, optimizer_, {squared_norms(ctx_, optimizer_.gradients()), elsewhere.factor, elsewhere.norm});
      },
      ErrorKind::numeric,
      "[optim] the gradient norm is inf, but every gradient here is finite: another rank's gradients, or the scale, "
      "are not finite");
}

TEST_F(GradientNormTest, RefusesBadLimits) {
  const auto sums = ctx_.tensor(std::vector<double>{1}, {1});
  expect_error([&] { clip(ctx_, sums, 0); }, ErrorKind::usage,
               "[optim] gradients scaled by 0: use 1/k for k accumulated micro-batches");
  expect_error([&] { clip(ctx_, sums, 1, -3); }, ErrorKind::usage,
               "[optim] clipping to a norm of -3: use 0 for no clipping");
}

}  // namespace
}  // namespace strata::optim
