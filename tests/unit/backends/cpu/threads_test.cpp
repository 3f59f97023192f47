// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/threads.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backends/cpu/cpu.hpp"

namespace strata::cpu {
namespace {

std::vector<std::pair<std::int64_t, std::int64_t>> chunks_seen(int threads, std::int64_t n, std::int64_t grain,
                                                               Schedule schedule) {
  const KernelTable table("cpu");
  const Context ctx(make_cpu_backend({.threads = threads}), table);
  std::vector<std::pair<std::int64_t, std::int64_t>> seen(static_cast<std::size_t>(chunks_of(n, grain)), {-1, -1});
  parallel_for(
      ctx, n, grain,
      [&](std::int64_t begin, std::int64_t end) {
        seen[static_cast<std::size_t>(begin / grain)] = {begin, end};
      },
      schedule);
  return seen;
}

TEST(ParallelFor, ChunksDoNotDependOnThreads) {
  for (const auto schedule : {Schedule::even, Schedule::uneven}) {
    const auto one = chunks_seen(1, 1003, 10, schedule);
    EXPECT_EQ(one.size(), 101u);
    EXPECT_EQ(one.back(), (std::pair<std::int64_t, std::int64_t>{1000, 1003}));
    for (int threads : {2, 3, 7}) EXPECT_EQ(chunks_seen(threads, 1003, 10, schedule), one) << threads << " threads";
  }
  EXPECT_TRUE(chunks_seen(3, 0, 10, Schedule::even).empty());
}

TEST(ParallelFor, FirstFailureWins) {
  const KernelTable table("cpu");
  for (int threads : {1, 3}) {
    const Context ctx(make_cpu_backend({.threads = threads}), table);
    const auto work = [](std::int64_t begin, std::int64_t) {
      if (begin >= 40) throw std::runtime_error("chunk " + std::to_string(begin));
    };
    try {
      parallel_for(ctx, 100, 10, work);
      FAIL() << "no exception left the region";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "chunk 40") << threads << " threads";
    }
  }
}

TEST(ParallelFor, NestedRunsOnTheCallingThread) {
  const KernelTable table("cpu");
  const Context ctx(make_cpu_backend({.threads = 3}), table);
  std::vector<std::int64_t> sums(12, 0);
  parallel_for(ctx, 12, 1, [&](std::int64_t begin, std::int64_t) {
    parallel_for(ctx, 100, 7, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) sums[static_cast<std::size_t>(begin)] += i;
    });
  });
  EXPECT_EQ(sums, std::vector<std::int64_t>(12, 4950));
}

}  // namespace
}  // namespace strata::cpu
