// SPDX-License-Identifier: Apache-2.0
//
// Conformance of split: who is in which group and in which order, groups of groups, and groups used at the same time.
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "strata/runtime/context.hpp"
#include "tests/support/worlds.hpp"

namespace strata::comm {
namespace {

using testing::each_world;

// The world ranks of a group's members, in group order.
std::vector<std::int64_t> members(Communicator& group, int world_rank) {
  std::int64_t mine = world_rank;
  std::vector<std::int64_t> all(static_cast<std::size_t>(group.size()));
  group.all_gather(Tensor::borrow(&mine, DType::i64, {1}), Tensor::borrow(all.data(), DType::i64, {group.size()}))
      .wait();
  return all;
}

std::vector<std::int64_t> every(int size, int step, int first) {
  std::vector<std::int64_t> ranks;
  for (int r = first; r < size; r += step) ranks.push_back(r);
  return ranks;
}

TEST(Groups, ColorsMakeGroupsAndKeysTheirOrder) {
  each_world([](Communicator& world) {
    const auto group = world.split(world.rank() % 2, world.rank());
    EXPECT_EQ(members(*group, world.rank()), every(world.size(), 2, world.rank() % 2));
    const auto backwards = world.split(0, -world.rank());
    auto expected = every(world.size(), 1, 0);
    std::reverse(expected.begin(), expected.end());
    EXPECT_EQ(members(*backwards, world.rank()), expected);
    EXPECT_EQ(backwards->rank(), world.size() - 1 - world.rank());
    const auto same_key = world.split(0, 3);
    EXPECT_EQ(members(*same_key, world.rank()), every(world.size(), 1, 0)) << "equal keys keep the ranks' order";
  });
}

TEST(Groups, NegativeColorIsInNone) {
  each_world([](Communicator& world) {
    const auto group = world.split(world.rank() == 0 ? -1 : 4, 0);
    EXPECT_EQ(group == nullptr, world.rank() == 0);
    if (!group) return;
    EXPECT_EQ(members(*group, world.rank()), every(world.size(), 1, 1));
  });
}

TEST(Groups, OfGroups) {
  each_world([](Communicator& world) {
    const auto pair = world.split(world.rank() / 2, world.rank(), "pair");
    const auto single = pair->split(pair->rank(), 0, "single");
    EXPECT_EQ(single->size(), 1);
    EXPECT_EQ(members(*single, world.rank()), std::vector<std::int64_t>{world.rank()});
    const auto firsts = world.split(pair->rank() == 0 ? 0 : 1, world.rank(), "place");
    EXPECT_EQ(members(*firsts, world.rank()), every(world.size(), 2, pair->rank()));
    EXPECT_EQ(single->name(),
              world.name() + "/pair." + std::to_string(world.rank() / 2) + "/single." + std::to_string(pair->rank()));
  });
}

TEST(Groups, OutliveTheirParent) {
  each_world([](Communicator& world) {
    auto parent = world.split(0, world.rank());
    const auto child = parent->split(0, world.rank());
    parent.reset();
    EXPECT_EQ(members(*child, world.rank()), every(world.size(), 1, 0));
  });
}

void add_up(Communicator& group, int times) {
  std::vector<double> values(257);
  for (int i = 0; i < times; ++i) {
    values.assign(257, i + group.rank());
    group.all_reduce(Tensor::borrow(values.data(), DType::f64, {257})).wait();
    const int ranks = group.size() * (group.size() - 1) / 2;
    for (const double value : values) ASSERT_EQ(value, i * group.size() + ranks);
  }
}

TEST(Groups, TwoAtOnceFromOneThread) {
  each_world([](Communicator& world) {
    const auto row = world.split(world.rank() / 2, world.rank()), column = world.split(world.rank() % 2, world.rank());
    double a = 1, b = 1, c = 1;
    // Issued in another order on every other rank: groups are independent.
    std::vector<Event> events;
    if (row->rank() == 0) {
      events = {row->all_reduce(Tensor::borrow(&a, DType::f64, {})),
                column->all_reduce(Tensor::borrow(&b, DType::f64, {}))};
    } else {
      events = {column->all_reduce(Tensor::borrow(&b, DType::f64, {})),
                row->all_reduce(Tensor::borrow(&a, DType::f64, {}))};
    }
    events.push_back(world.all_reduce(Tensor::borrow(&c, DType::f64, {})));
    for (const auto& event : events) event.wait();
    EXPECT_EQ(a, row->size());
    EXPECT_EQ(b, column->size());
    EXPECT_EQ(c, world.size());
  });
}

TEST(Groups, TwoAtOnceFromTwoThreads) {
  each_world([](Communicator& world) {
    const auto first = world.split(0, world.rank(), "first"),
               second = world.split(world.rank() % 2, world.rank(), "second");
    std::thread other([&] { add_up(*second, 50); });
    add_up(*first, 50);
    other.join();
  });
}

}  // namespace
}  // namespace strata::comm
