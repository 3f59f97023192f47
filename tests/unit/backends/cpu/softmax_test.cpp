// SPDX-License-Identifier: Apache-2.0
#include "strata/ops/softmax.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/unit/backends/cpu/machines.hpp"

namespace strata {
namespace {

using test::instruction_sets;
using test::uniform;

// softmax of [0, x] is [1 / (1 + e^x), e^x / (1 + e^x)]: the exponential, seen through the op.
TEST(CpuSoftmax, ExponentialIsGoodToTwoUnits) {
  const KernelTable table = make_cpu_table();
  const auto x = uniform(20000, -100.0f, 0.0f);
  std::vector<float> pairs(2 * x.size());
  for (std::size_t i = 0; i < x.size(); ++i) pairs[2 * i + 1] = x[i];
  for (const auto isa : instruction_sets()) {
    Context ctx(make_cpu_backend({.isa = isa}), table);
    const auto y = ctx.to_host<float>(ops::run1(ctx, ops::Softmax{}, {ctx.tensor(pairs, {20000, 2})}));
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double e = std::exp(static_cast<double>(x[i]));
      if (x[i] > -86) worst = std::max(worst, test::ulps(y[2 * i + 1], e / (1 + e)));
    }
    EXPECT_LT(worst, 3.0) << name_of(isa);
  }
}

TEST(CpuSoftmax, EveryLengthSumsToOneAndAllSetsAgree) {
  const KernelTable table = make_cpu_table();
  for (std::int64_t columns : {1, 2, 15, 16, 17, 31, 33, 197, 1024}) {
    const auto x = uniform(7 * columns, -8.0f, 8.0f, static_cast<std::uint64_t>(columns));
    std::vector<float> first;
    for (const auto isa : instruction_sets())
      for (int threads : {1, 2, 3}) {
        Context ctx(make_cpu_backend({.threads = threads, .isa = isa}), table);
        const auto y = ctx.to_host<float>(ops::run1(ctx, ops::Softmax{}, {ctx.tensor(x, {7, columns})}));
        if (first.empty()) first = y;
        EXPECT_EQ(y, first) << name_of(isa) << ", " << threads << " threads, " << columns << " columns";
      }
    for (std::size_t row = 0; row < 7; ++row) {
      double sum = 0;
      for (std::int64_t i = 0; i < columns; ++i)
        sum += first[row * static_cast<std::size_t>(columns) + static_cast<std::size_t>(i)];
      EXPECT_NEAR(sum, 1, 1e-6) << columns << " columns";
    }
  }
}

TEST(CpuSoftmax, NothingButMinusInfinityGivesNaN) {
  const KernelTable table = make_cpu_table();
  const std::vector<float> x(20, -std::numeric_limits<float>::infinity());
  for (const auto isa : instruction_sets()) {
    Context ctx(make_cpu_backend({.isa = isa}), table);
    for (float value : ctx.to_host<float>(ops::run1(ctx, ops::Softmax{}, {ctx.tensor(x, {1, 20})})))
      EXPECT_TRUE(std::isnan(value));
  }
}

}  // namespace
}  // namespace strata
