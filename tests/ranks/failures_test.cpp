// SPDX-License-Identifier: Apache-2.0
//
// Failures that a transport survives on every rank alike, and (DISABLED_, each run by a CTest entry of its own that
// reads what is printed) those that end an MPI job.
#include <gtest/gtest.h>

#include "strata/base/error.hpp"
#include "strata/runtime/context.hpp"
#include "tests/support/worlds.hpp"

namespace strata::comm {
namespace {

Tensor ones(std::int64_t count) {
  Tensor tensor = host_tensor(DType::f32, {count});
  std::fill_n(tensor.data<float>(), count, 1.0F);
  return tensor;
}

TEST(Failures, DifferencesAreToldToAllRanksUnderTheCheckingWrapper) {
  testing::run_ranks([](Communicator& world) {
    if (world.size() == 1) return;
    const auto checked = make_checking(borrowed(world));
    const int last = world.size() - 1;
    try {
      checked->all_reduce(ones(world.rank() == last ? 5 : 4)).wait();
      ADD_FAILURE() << "accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::communication);
      EXPECT_NE(std::string(error.what()).find("rank " + std::to_string(last) + " called all_reduce sum f32[5]"),
                std::string::npos)
          << error.what();
    }
    checked->barrier().wait();  // nothing was begun, so the group can go on
  });
}

TEST(Failures, BadArgumentsAreRefusedBeforeAnythingMoves) {
  testing::run_ranks([](Communicator& world) {
    EXPECT_THROW(world.broadcast(ones(3), world.size()), Error);
    EXPECT_THROW(world.send(ones(3), world.rank()), Error);
    EXPECT_THROW(world.all_reduce(ones(3), ones(4)), Error);
    world.barrier().wait();
  });
}

TEST(Failures, DISABLED_OneRankThrows) {
  testing::run_ranks([](Communicator& world) {
    if (world.rank() == world.size() - 1) fail(ErrorKind::data, "shard", "study 7 is broken");
    world.all_reduce(ones(3)).wait();
  });
}

TEST(Failures, DISABLED_OneRankNeverComes) {
  testing::run_ranks([](Communicator& world) {
    const auto watched = make_watchdog(borrowed(world), std::chrono::milliseconds(300));
    if (world.rank() == 0) std::this_thread::sleep_for(std::chrono::seconds(3));
    watched->all_reduce(ones(3)).wait();
  });
}

TEST(Failures, DISABLED_ExpectationOnOneRank) {
  testing::run_ranks([](Communicator& world) { EXPECT_NE(world.rank(), world.size() - 1); });
}

TEST(Failures, DISABLED_Hangs) {
  testing::run_ranks([](Communicator&) { std::this_thread::sleep_for(std::chrono::seconds(30)); });
}

}  // namespace
}  // namespace strata::comm
