// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "io/plot/axis.hpp"
#include "io/plot/plot.hpp"
#include "strata/base/error.hpp"

namespace strata::io {
namespace {

using Doubles = std::vector<double>;
using Strings = std::vector<std::string>;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Ticks, AreOneTwoOrFiveTimesAPowerOfTen) {
  EXPECT_EQ(linear_ticks(0, 1000, 6), (Doubles{0, 200, 400, 600, 800, 1000}));
  EXPECT_EQ(linear_ticks(0, 1000, 5), (Doubles{0, 500, 1000}));
  EXPECT_EQ(linear_ticks(-0.13, 0.41, 6), (Doubles{-0.1, 0, 0.1, 0.2, 0.3, 0.4}));
  EXPECT_EQ(linear_ticks(0.1, 0.3, 5), (Doubles{0.1, 0.15, 0.2, 0.25, 0.3}));
  EXPECT_EQ(linear_ticks(1e-5, 5e-4, 5), (Doubles{1e-4, 2e-4, 3e-4, 4e-4, 5e-4}));
  EXPECT_EQ(linear_ticks(999999, 1000001, 5), (Doubles{999999, 999999.5, 1000000, 1000000.5, 1000001}));
  EXPECT_FALSE(std::signbit(linear_ticks(-1, 1, 5).at(2)));
}

TEST(Ticks, LieWithinAndAreAsManyAsThereIsRoomFor) {
  for (const double low : {-3e7, -1.0, 0.0, 1e-9, 0.37, 12345.6})
    for (const double length : {1e-3, 0.02, 0.7, 1.0, 9.9, 123.0, 4.5e6})
      for (int most = 5; most <= 12; ++most) {
        const auto ticks = linear_ticks(low, low + length, most);
        ASSERT_GE(ticks.size(), 2U) << low << " " << length << " " << most;
        ASSERT_LE(static_cast<int>(ticks.size()), most);
        EXPECT_GE(ticks.front(), low - 1e-8 * length);
        EXPECT_LE(ticks.back(), low + length * (1 + 1e-8));
      }
}

TEST(Ticks, OfALogarithmicAxis) {
  EXPECT_EQ(log_ticks(0.1, 10, 7), (Doubles{0.1, 0.2, 0.5, 1, 2, 5, 10}));
  EXPECT_EQ(log_ticks(0.1, 10, 6), (Doubles{0.1, 1, 10}));
  EXPECT_EQ(log_ticks(1e-8, 1, 5), (Doubles{1e-8, 1e-6, 1e-4, 1e-2, 1}));
  EXPECT_EQ(log_ticks(3, 60, 6), (Doubles{5, 10, 20, 50}));
  EXPECT_EQ(log_ticks(6, 9, 6), (Doubles{6, 7, 8, 9}));
  EXPECT_THROW(log_ticks(0, 1, 5), Error);
}

TEST(Ticks, NumbersAreOfOneFormAndAsShortAsTheyCan) {
  EXPECT_EQ(tick_labels(Doubles{0, 200, 1000}), (Strings{"0", "200", "1000"}));
  EXPECT_EQ(tick_labels(Doubles{0.1, 0.15, 0.2}), (Strings{"0.10", "0.15", "0.20"}));
  EXPECT_EQ(tick_labels(Doubles{-0.5, 0, 0.5}), (Strings{"-0.5", "0", "0.5"}));
  EXPECT_EQ(tick_labels(Doubles{0, 2e-5, 4e-5}), (Strings{"0", "2e-5", "4e-5"}));
  EXPECT_EQ(tick_labels(Doubles{1e6, 1.5e6}), (Strings{"1.0e6", "1.5e6"}));
  EXPECT_EQ(tick_labels(Doubles{999999, 999999.5}), (Strings{"999999.0", "999999.5"}));
  EXPECT_TRUE(tick_labels(Doubles{}).empty());
}

TEST(Axis, ValuesThatHardlyDifferStillHaveOne) {
  for (const Doubles& values : {Doubles{}, Doubles{kNan}, Doubles{3}, Doubles{0, 0}, Doubles{1e15, 1e15 + 1},
                                Doubles{-1e100, 1e100}, Doubles{std::numeric_limits<double>::infinity(), 2}})
    for (const bool log : {false, true}) {
      Axis axis(values, log, 0.05);
      axis.place(0, 100);
      const auto ticks = axis.ticks(6, false);
      ASSERT_GE(ticks.size(), 2U);
      for (const auto& tick : ticks) {
        EXPECT_GE(axis.pixel(tick.value), -0.01);
        EXPECT_LE(axis.pixel(tick.value), 100.01);
      }
    }
}

TEST(Axis, StepsAreWhole) {
  const Axis axis(Doubles{1, 3}, false, 0.01);
  Strings labels;
  for (const auto& tick : axis.ticks(6, true)) labels.push_back(tick.label);
  EXPECT_EQ(labels, (Strings{"1", "2", "3"}));
}

TEST(Smoothed, IsAMeanOfWhatWasWithoutAPullToZero) {
  const auto means = smoothed(Doubles{4, kNan, 1, 1}, 0.5);
  EXPECT_DOUBLE_EQ(means[0], 4);
  EXPECT_TRUE(std::isnan(means[1]));
  EXPECT_DOUBLE_EQ(means[2], (0.25 * 4 + 1) / 1.25);  // the gap's place in time counts
  EXPECT_DOUBLE_EQ(means[3], (0.125 * 4 + 0.5 + 1) / 1.625);
  EXPECT_EQ(smoothed(Doubles{4, 1}, 0), (Doubles{4, 1}));
  EXPECT_THROW(smoothed(Doubles{1}, 1), Error);
}

}  // namespace
}  // namespace strata::io
