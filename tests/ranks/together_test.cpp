// SPDX-License-Identifier: Apache-2.0
// Work that fails on some ranks: all of them stop with the same error.
#include "strata/comm/together.hpp"

#include <gtest/gtest.h>

#include "strata/base/error.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/support/ranks.hpp"

namespace strata::comm {
namespace {

using fixtures::message_of;
using strata::testing::run_ranks;

TEST(Together, NothingHappensWhereAllSucceed) {
  run_ranks([](Communicator& world) {
    int done = 0;
    together(world, [&] { ++done; });
    EXPECT_EQ(done, 1);
  });
}

TEST(Together, TheFirstRankThatFailsSpeaksForAll) {
  run_ranks([](Communicator& world) {
    const int first = world.size() / 2;
    for (int i = 0; i < 3; ++i) {
      const std::string said = message_of(
          [&] {
            together(world, [&] {
              if (world.rank() >= first)
                fail(ErrorKind::environment, "disk", "rank " + std::to_string(world.rank()) + " is full", "empty it");
            });
          },
          ErrorKind::environment);
      EXPECT_NE(said.find("[disk] rank " + std::to_string(first) + " is full"), std::string::npos) << said;
      EXPECT_NE(said.find("empty it"), std::string::npos) << said;
      EXPECT_EQ(said.find("(on rank") == std::string::npos, world.rank() == first) << said;
    }
  });
}

TEST(Together, OtherExceptionsAreErrorsElsewhere) {
  run_ranks([](Communicator& world) {
    const auto work = [&] {
      if (world.rank() == world.size() - 1) throw std::out_of_range("too far");
    };
    if (world.rank() == world.size() - 1) {
      EXPECT_THROW(together(world, work), std::out_of_range);
    } else {
      EXPECT_NE(message_of([&] { together(world, work); }, ErrorKind::internal).find("too far"), std::string::npos);
    }
  });
}

}  // namespace
}  // namespace strata::comm
