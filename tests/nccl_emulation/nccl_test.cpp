// SPDX-License-Identifier: Apache-2.0
//
// What only an emulation can be made to do: NCCL that fails, connections that never come, calls that never end.
#include "parallel/comm/nccl.hpp"

#include <gtest/gtest.h>

#include "backends/cuda/cuda.hpp"
#include "parallel/comm/nccl_devices.hpp"
#include "parallel/comm/watchdog.hpp"
#include "parallel/comm/wrapper.hpp"
#include "parallel/gradient_sync/whole_sum.hpp"
#include "strata/base/error.hpp"
#include "strata/runtime/host_backend.hpp"
#include "tests/nccl_emulation/emulation.hpp"
#include "tests/support/ranks.hpp"

namespace strata::comm {
namespace {

using testing::placed;
using testing::rank_device;

struct Caught {
  ErrorKind kind = ErrorKind::internal;
  std::string text;
};

// Runs 3 ranks over threads and tells what each threw.
std::vector<Caught> errors_of(const testing::Body& body) {
  std::vector<Caught> caught;
  for (const auto& error : run_thread_ranks(3, [&](Communicator& world) { testing::run_with_device(world, body); })) {
    try {
      if (error) std::rethrow_exception(error);
      caught.push_back({ErrorKind::internal, "nothing was thrown"});
    } catch (const Error& e) {
      caught.push_back({e.kind(), e.what()});
    }
  }
  return caught;
}

void expect_all(const std::vector<Caught>& caught, ErrorKind kind, std::string_view part) {
  for (const auto& [of_kind, text] : caught) {
    EXPECT_EQ(of_kind, kind) << text;
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

Tensor ones(std::int64_t count) {
  Tensor tensor = host_tensor(DType::f32, {count});
  std::fill_n(tensor.data<float>(), count, 1.0F);
  return placed(tensor);
}

class Nccl : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::launch().device_transport != "nccl") GTEST_SKIP() << "of the transport nccl";
    if (testing::launch().mpi_world != nullptr) GTEST_SKIP() << "the emulation of NCCL is one process";
  }
  void TearDown() override {
    EXPECT_EQ(nccl_emulation::open_communicators(), 0) << "a communicator was left open";
    EXPECT_EQ(nccl_emulation::registered_buffers(), 0) << "a buffer was left registered";
  }
};

TEST_F(Nccl, AnAsynchronousErrorIsACommunicationErrorThatNamesTheCall) {
  const auto caught = errors_of([](Communicator& world) {
    world.all_reduce(ones(4)).wait();
    const Event early = world.rank() < 2 ? world.all_reduce(ones(5)) : Event();
    world.barrier().wait();
    if (world.rank() == 2)
      for (int device = 0; device < 3; ++device) nccl_emulation::fail_on_device(device);
    world.barrier().wait();
    (world.rank() < 2 ? early : world.all_reduce(ones(5))).wait();
  });
  nccl_emulation::fail_on_device(-1);
  expect_all(caught, ErrorKind::communication, "remote process exited");
  expect_all(caught, ErrorKind::communication, "all_reduce sum f32[5] (call ");
  expect_all(caught, ErrorKind::communication, "of group 'world', rank ");
}

TEST_F(Nccl, TheWatchdogNamesTheStuckCallAndFreesTheDevice) {
  const auto caught = errors_of([](Communicator& world) {
    world.all_reduce(ones(4)).wait();  // connected
    const auto watched = make_watchdog(borrowed(world), std::chrono::milliseconds(400));
    if (world.rank() == 2) {
      watched->recv(ones(3), 0).wait();  // never sent
      return;
    }
    static const KernelTable none("none");
    const Context ctx(rank_device(), none);
    ctx.backend().wait(ctx.stream(), watched->all_reduce(ones(1000)));
    ctx.synchronise();  // the host does not ask: the watchdog must free the stream
    watched->all_reduce(ones(1)).wait();
  });
  expect_all(caught, ErrorKind::communication, "watchdog: ");
  EXPECT_NE(caught[0].text.find("f32[1000]"), std::string::npos) << caught[0].text;
}

// The first collective connects: whoever comes alone is caught before there is an event.
TEST_F(Nccl, TheWatchdogNamesACallThatCannotBegin) {
  const auto caught = errors_of([](Communicator& world) {
    const auto watched = make_watchdog(borrowed(world), std::chrono::milliseconds(400));
    if (world.rank() == 2) {
      while (true) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        double one = 1;
        world.send(Tensor::borrow(&one, DType::f64, {1}), 0, 9);  // host; throws when the others have given up
      }
    }
    watched->all_reduce(ones(1000)).wait();
  });
  expect_all(caught, ErrorKind::communication, "watchdog: all_reduce sum f32[1000], call 0 of group 'world'");
}

TEST_F(Nccl, RanksThatCannotConnectAllSaySo) {
  nccl_emulation::fail_to_connect(1);
  const auto errors = run_thread_ranks(3, [](Communicator& world) {
    make_nccl(borrowed(world), make_cuda_backend({.device = world.rank()}),
              {.creation = std::chrono::milliseconds(200)});
  });
  nccl_emulation::fail_to_connect(-1);
  for (const auto& error : errors) {
    try {
      ASSERT_TRUE(error);
      std::rethrow_exception(error);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::environment) << e.what();
      EXPECT_NE(std::string(e.what()).find("not all ranks came within 200 ms"), std::string::npos) << e.what();
    }
  }
}

TEST_F(Nccl, OneDeviceTwiceInAProcessIsRefusedOnAllRanks) {
  const auto errors = run_thread_ranks(
      3, [](Communicator& world) { make_nccl(borrowed(world), make_cuda_backend({.device = world.rank() % 2})); });
  for (const auto& error : errors) {
    try {
      ASSERT_TRUE(error);
      std::rethrow_exception(error);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::environment) << e.what();
      EXPECT_NE(std::string(e.what()).find("ranks 0 and 2 of one process are on one device"), std::string::npos)
          << e.what();
    }
  }
}

TEST_F(Nccl, NeedsADevice) { EXPECT_THROW(make_nccl(make_local(), make_host_backend("host")), Error); }

// Two groups hang on rank 1's device, one behind the other: ending either alone would wait for both.
TEST_F(Nccl, AnExceptionLeavesNothingBehind) {
  const auto caught = errors_of([](Communicator& world) {
    world.all_reduce(ones(4)).wait();
    world.will_reuse(ones(10));
    const auto group = world.split(0, world.rank());
    if (world.rank() == 1) {
      world.recv(ones(3), 0);  // never sent
      group->recv(ones(3), 0);
    }
    fail(ErrorKind::data, "test", "out of here");
  });
  expect_all(caught, ErrorKind::data, "out of here");
}

// Whoever catches an exception may go on when nothing was on its way.
TEST_F(Nccl, AGroupThatIsLeftInOrderEndsAlone) {
  run_thread_ranks_or_throw(2, [](Communicator& carrier) {
    testing::run_with_device(carrier, [&](Communicator& world) {
      try {
        const auto group = world.split(0, world.rank());
        group->all_reduce(ones(4)).wait();
        fail(ErrorKind::data, "test", "out of here");
      } catch (const Error&) {
      }
      const Tensor sum = ones(3);
      world.all_reduce(sum).wait();
      EXPECT_EQ(testing::fetched(sum).data<float>()[0], 2.0F);
    });
  });
}

// A backend may be of one thread: memory goes back to it on the communicator's own, at its next call.
TEST_F(Nccl, WhoAsksFromElsewhereFreesNothing) {
  run_thread_ranks_or_throw(2, [](Communicator& carrier) {
    testing::run_with_device(carrier, [&](Communicator& world) {
      const Event event = world.all_reduce(ones(100'000));
      const auto in_use = rank_device()->memory().in_use;
      std::thread([&] { event.wait(); }).join();
      EXPECT_EQ(rank_device()->memory().in_use, in_use);
      world.all_reduce(ones(1)).wait();
      EXPECT_LT(rank_device()->memory().in_use, in_use);
    });
  });
}

TEST_F(Nccl, RegistersABufferOnce) {
  run_thread_ranks_or_throw(2, [](Communicator& carrier) {
    testing::run_with_device(carrier, [&](Communicator& world) {
      const Tensor buffer = ones(10);
      world.will_reuse(buffer);
      world.will_reuse(buffer);
      world.barrier().wait();
      EXPECT_EQ(nccl_emulation::registered_buffers(), 2);
      world.barrier().wait();
    });
  });
}

TEST(NcclDevices, RulesOfWhoIsWhere) {
  const RankPlace a{22809, "node", 1, "0000:01:00.0"}, same_device{22809, "node", 2, "0000:01:00.0"},
      other_device{22809, "node", 3, "0000:02:00.0"}, other_host{22809, "node2", 4, "0000:01:00.0"};
  EXPECT_FALSE(devices_are_shared({a, other_device, other_host}));
  EXPECT_TRUE(devices_are_shared({a, other_host, same_device}));
  EXPECT_EQ(sharers_before({a, other_host, same_device, same_device}, 0), 0);
  EXPECT_EQ(sharers_before({a, other_host, same_device, same_device}, 3), 2);
  EXPECT_EQ(obstacle({a, same_device, other_device, other_host}), "");
  EXPECT_EQ(obstacle({a, other_device, a}), "ranks 0 and 2 of one process are on one device (0000:01:00.0 of node)");
  RankPlace older = other_host;
  older.version = 22700;
  EXPECT_EQ(obstacle({a, older}), "rank 0 has NCCL 22809, rank 1 has 22700: all ranks need one version");
}

}  // namespace
}  // namespace strata::comm
