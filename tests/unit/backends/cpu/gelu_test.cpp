// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/gelu.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tests/unit/backends/cpu/machines.hpp"

namespace strata {
namespace {

double phi(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }

std::vector<float> arguments() {
  auto x = test::uniform(50000, -13, 13);
  x.insert(x.end(), {0.0f, -0.0f, 1e-30f, -1e-30f, 40.0f, -40.0f, 3e38f, -3e38f});
  return x;
}

// Also far below zero, where x · (1 + erf) / 2 would lose every digit.
TEST(CpuGelu, GoodToEightUnitsInTheLastPlace) {
  const KernelTable table = make_cpu_table();
  const auto x = arguments();
  for (const auto isa : test::instruction_sets()) {
    Context ctx(make_cpu_backend({.isa = isa}), table);
    const auto y = ctx.to_host<float>(ops::run1(ctx, ops::Gelu{}, {ctx.tensor(x, {std::ssize(x)})}));
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double exact = static_cast<double>(x[i]) * phi(static_cast<double>(x[i]));
      if (std::fabs(exact) > 1e-37 || exact == 0) worst = std::max(worst, test::ulps(y[i], exact));
    }
    EXPECT_LT(worst, 8) << name_of(isa);
  }
}

TEST(CpuGelu, GradientIsExactToAFewUnitsOfOne) {
  const KernelTable table = make_cpu_table();
  const auto x = arguments();
  for (const auto isa : test::instruction_sets()) {
    Context ctx(make_cpu_backend({.isa = isa}), table);
    const Tensor ones = ctx.tensor(std::vector<float>(x.size(), 1.0f), {std::ssize(x)});
    const auto dx = ctx.to_host<float>(ops::run1(ctx, ops::GeluBackward{}, {ctx.tensor(x, {std::ssize(x)}), ones}));
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto v = static_cast<double>(x[i]);
      const double density = std::exp(-v * v / 2) / std::sqrt(2 * std::numbers::pi);
      worst = std::max(worst, std::fabs(static_cast<double>(dx[i]) - (phi(v) + v * density)));
    }
    EXPECT_LT(worst, 4e-7) << name_of(isa);
  }
}

}  // namespace
}  // namespace strata
