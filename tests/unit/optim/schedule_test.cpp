// SPDX-License-Identifier: Apache-2.0
#include "strata/optim/schedule.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/golden_data.hpp"

namespace strata::optim {
namespace {

using fixtures::expect_error;
constexpr double kPeak = 5e-4;

void expect_golden(const std::string& name, const std::function<double(std::int64_t)>& value) {
  const Tensor expected = fixtures::golden_data("torch_ops").load("schedule." + name);
  ASSERT_EQ(expected.numel(), 40);
  for (std::int64_t step = 0; step < 40; ++step)
    EXPECT_NEAR(value(step), expected.data<double>()[step], 1e-15 * std::fabs(expected.data<double>()[step]) + 1e-19)
        << name << " at step " << step;
}

void expect_golden(const std::string& name, const ScheduleConfig& config) {
  const Schedule schedule(config);
  expect_golden(name, [&](std::int64_t step) { return schedule.at(step); });
}

ScheduleConfig cool_down(std::int64_t total, std::int64_t steps, double end = 0, double power = 1) {
  ScheduleConfig config;
  config.kind = ScheduleKind::cool_down;
  config.peak = kPeak;
  config.end = end;
  config.total = total;
  config.cool_down = steps;
  config.power = power;
  return config;
}

ScheduleConfig cosine(double peak, std::int64_t total, std::int64_t warm_up, double end = 0) {
  ScheduleConfig config;
  config.peak = peak;
  config.end = end;
  config.total = total;
  config.warm_up = warm_up;
  return config;
}

TEST(Schedule, WarmsUpAheadAndFallsByCosineAsPublished) { expect_golden("warm_up_cosine", cosine(kPeak, 40, 7)); }

TEST(Schedule, WarmsUpFromZeroToAFinalRateAsPublished) {
  auto config = cosine(kPeak, 40, 4, 5e-7);
  config.warm_up_form = WarmUp::from_start;
  expect_golden("warm_up_cosine_from_zero", config);
}

TEST(Schedule, StaysConstantWithAndWithoutCoolDownAsPublished) {
  auto config = cool_down(40, 10);
  config.warm_up = 7;
  expect_golden("cool_down_linear", config);
  config.end = 1e-5;
  config.power = 2;
  expect_golden("cool_down_quadratic", config);
  config.kind = ScheduleKind::constant;
  config.total = 0;
  expect_golden("constant", config);
}

TEST(Schedule, RisesByCosine) {
  expect_golden("cosine_rise", [](std::int64_t step) { return cosine_between(0.04, 0.4, step, 40); });
  expect_golden("cosine_rise", cosine(0.04, 40, 0, 0.4));
  EXPECT_DOUBLE_EQ(cosine_between(0.994, 1, 0, 1000), 0.994);
  EXPECT_NEAR(cosine_between(0.994, 1, 500, 1000), 0.997, 1e-15);
  EXPECT_EQ(cosine_between(0.994, 1, 1000, 1000), 1);
}

TEST(Schedule, StartsWhereItIsTold) {
  auto config = cosine(1, 20, 4);
  config.warm_up_form = WarmUp::from_start;
  config.start = 0.2;
  const Schedule schedule(config);
  EXPECT_DOUBLE_EQ(schedule.at(0), 0.2);
  EXPECT_DOUBLE_EQ(schedule.at(2), 0.6);
  EXPECT_DOUBLE_EQ(schedule.at(4), 1);
}

TEST(Schedule, CoolsDownByASquareRoot) {
  const Schedule schedule(cool_down(100, 50, 0, 0.5));
  EXPECT_DOUBLE_EQ(schedule.at(49), kPeak);
  EXPECT_DOUBLE_EQ(schedule.at(75), kPeak * std::sqrt(0.5));
}

TEST(Schedule, StaysAtItsEndAfterTheLastStep) {
  EXPECT_DOUBLE_EQ(Schedule(cosine(1, 10, 0, 0.1)).at(1000), 0.1);
  EXPECT_DOUBLE_EQ(Schedule(cool_down(10, 3, 0.1)).at(10), 0.1);
  EXPECT_DOUBLE_EQ(Schedule(cool_down(10, 0, 0.1)).at(10), kPeak);
  EXPECT_DOUBLE_EQ(Schedule(cosine(1, 10, 10)).at(9), 1);
  EXPECT_DOUBLE_EQ(Schedule(cosine(1, 10, 10)).at(10), 0);
}

TEST(Schedule, RefusesImpossibleSettings) {
  const auto refuses = [](const ScheduleConfig& config, const std::string& sentence) {
    expect_error([&] { Schedule{config}; }, ErrorKind::usage, "[schedule] " + sentence);
  };
  auto long_cool_down = cool_down(10, 5);
  long_cool_down.warm_up = 6;
  refuses(cosine(1, 10, 11), "warm-up 11 and cool-down 0 are longer than all 10 steps: train longer or shorten them");
  refuses(long_cool_down, "warm-up 6 and cool-down 5 are longer than all 10 steps: train longer or shorten them");
  refuses(cosine(-1e-3, 10, 0), "the peak is -0.001, which is no rate: rates are 0 or more");
  refuses(cosine(1, 10, 0, NAN), "the end is nan, which is no rate: rates are 0 or more");
  refuses(cosine(1, 0, 0), "cosine over 0 steps: set the total number of steps");
  refuses(cosine(1, 10, -1), "warm-up -1 and cool-down 0 steps: use 0 for none");
  refuses(cool_down(10, 3, 0, 0), "cool-down to the power 0: 1 is linear, 0.5 a square root");
}

TEST(Schedule, OffersTheNearestName) {
  EXPECT_EQ(parse_schedule_kind("cool_down"), ScheduleKind::cool_down);
  EXPECT_EQ(parse_warm_up("from_start"), WarmUp::from_start);
  EXPECT_EQ(name_of(ScheduleKind::cosine), "cosine");
  expect_error([] { parse_schedule_kind("cosin"); }, ErrorKind::usage,
               "[schedule] unknown schedule 'cosin': did you mean 'cosine'?");
  expect_error([] { parse_warm_up("sideways and long"); }, ErrorKind::usage,
               "[schedule] unknown form of warm-up 'sideways and long': use one of ahead, from_start");
}

TEST(Schedule, AverageDecayGrows) {
  EXPECT_DOUBLE_EQ(growing_decay(0.999, 0), 0.1);
  EXPECT_DOUBLE_EQ(growing_decay(0.999, 90), 0.91);
  EXPECT_DOUBLE_EQ(growing_decay(0.999, 1000000), 0.999);
}

}  // namespace
}  // namespace strata::optim
