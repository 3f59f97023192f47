// SPDX-License-Identifier: Apache-2.0
//
// Texts of any length between ranks, empty ones too.
#include <gtest/gtest.h>

#include "strata/comm/bytes.hpp"
#include "tests/support/worlds.hpp"

namespace strata::comm {
namespace {

using testing::each_world;

std::string text_of(int from, int to) {
  return std::string(static_cast<std::size_t>((from * 7 + to * 3) % 5) * 1000, static_cast<char>('a' + from + to));
}

TEST(Texts, EveryRankGetsEveryText) {
  each_world([](Communicator& world) {
    const auto all = gather_texts(world, text_of(world.rank(), 0));
    ASSERT_EQ(all.size(), static_cast<std::size_t>(world.size()));
    for (int r = 0; r < world.size(); ++r) EXPECT_EQ(all[static_cast<std::size_t>(r)], text_of(r, 0));
  });
}

TEST(Texts, GoToTheRankTheyAreFor) {
  each_world([](Communicator& world) {
    std::vector<std::string> given;
    for (int to = 0; to < world.size(); ++to) given.push_back(text_of(world.rank(), to));
    const auto got = exchange_texts(world, given);
    ASSERT_EQ(got.size(), given.size());
    for (int from = 0; from < world.size(); ++from)
      EXPECT_EQ(got[static_cast<std::size_t>(from)], text_of(from, world.rank()));
  });
}

TEST(Texts, OfTheRootReachAll) {
  each_world([](Communicator& world) {
    const int root = world.size() - 1;
    EXPECT_EQ(broadcast_text(world, world.rank() == root ? "from the root" : "", root), "from the root");
    EXPECT_EQ(broadcast_text(world, {}, root), "");
  });
}

}  // namespace
}  // namespace strata::comm
