// SPDX-License-Identifier: Apache-2.0
//
// Nothing hangs and nothing is silently wrong: ranks that differ, throw, leave or come late, over the thread transport.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "parallel/comm/checking.hpp"
#include "parallel/comm/thread.hpp"
#include "parallel/comm/tracing.hpp"
#include "parallel/comm/watchdog.hpp"
#include "parallel/comm/wrapper.hpp"
#include "strata/base/error.hpp"
#include "strata/runtime/context.hpp"

namespace strata::comm {
namespace {

Tensor ones(std::int64_t count) {
  Tensor tensor = host_tensor(DType::f32, {count});
  std::fill_n(tensor.data<float>(), count, 1.0F);
  return tensor;
}

struct Caught {
  ErrorKind kind = ErrorKind::internal;
  std::string text;
};

// What each rank threw; fails the test when one threw something else or nothing.
std::vector<Caught> errors_of(int ranks, const std::function<void(Communicator&)>& body,
                              const ThreadOptions& options = {}) {
  std::vector<Caught> caught(static_cast<std::size_t>(ranks));
  const auto errors = run_thread_ranks(ranks, body, options);
  for (std::size_t r = 0; r < errors.size(); ++r) {
    try {
      if (errors[r]) std::rethrow_exception(errors[r]);
      ADD_FAILURE() << "rank " << r << " threw nothing";
    } catch (const Error& error) {
      caught[r] = {error.kind(), error.what()};
    }
  }
  return caught;
}

void expect_all(const std::vector<Caught>& caught, ErrorKind kind, std::string_view words) {
  for (std::size_t r = 0; r < caught.size(); ++r) {
    EXPECT_EQ(caught[r].kind, kind) << caught[r].text;
    EXPECT_NE(caught[r].text.find(words), std::string::npos) << "rank " << r << ": " << caught[r].text;
  }
}

TEST(ThreadTransport, DifferentShapesAreToldToAllRanks) {
  const auto caught =
      errors_of(3, [](Communicator& world) { world.all_reduce(ones(world.rank() == 1 ? 5 : 4)).wait(); });
  expect_all(caught, ErrorKind::communication,
             "call 0 of group 'world': the ranks do not call the same: ranks 0, 2 called all_reduce sum f32[4]; rank 1 "
             "called all_reduce sum f32[5]");
}

TEST(ThreadTransport, DifferentCallsAreToldToAllRanks) {
  const auto caught = errors_of(
      2, [](Communicator& world) { (world.rank() == 0 ? world.barrier() : world.broadcast(ones(3), 0)).wait(); });
  expect_all(caught, ErrorKind::communication, "rank 0 called barrier; rank 1 called broadcast f32[3] from rank 0");
}

TEST(ThreadTransport, NothingMovesWhenRanksDiffer) {
  run_thread_ranks_or_throw(2, [](Communicator& world) {
    const Tensor x = ones(4), y = ones(8);
    try {
      world.all_reduce(world.rank() == 0 ? x : y).wait();
      ADD_FAILURE() << "accepted";
    } catch (const Error&) {
    }
    EXPECT_EQ(x.data<float>()[0], 1);
    EXPECT_EQ(y.data<float>()[0], 1);
  });
}

TEST(ThreadTransport, MessagesThatDoNotFit) {
  const auto caught = errors_of(2, [](Communicator& world) {
    if (world.rank() == 0)
      world.send(ones(4), 1, 3).wait();
    else
      world.recv(ones(5), 0, 3).wait();
  });
  expect_all(caught, ErrorKind::communication,
             "rank 0 called send f32[4] to rank 1 with tag 3, rank 1 called recv f32[5] from rank 0 with tag 3");
}

TEST(ThreadTransport, AThrowWakesTheOthersAndIsNamed) {
  std::vector<Caught> caught = errors_of(4, [](Communicator& world) {
    if (world.rank() == 2) fail(ErrorKind::data, "shard", "study 7 is broken");
    world.all_reduce(ones(4)).wait();
  });
  EXPECT_EQ(caught[2].kind, ErrorKind::data);
  caught.erase(caught.begin() + 2);
  expect_all(caught, ErrorKind::communication, "rank 2 threw: [shard] study 7 is broken");
}

TEST(ThreadTransport, TheFirstErrorIsTheOneThrown) {
  try {
    run_thread_ranks_or_throw(3, [](Communicator& world) {
      if (world.rank() == 1) fail(ErrorKind::numeric, "loss", "not a number");
      world.barrier().wait();
    });
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
  }
}

TEST(ThreadTransport, ARankThatLeavesIsNamed) {
  const auto errors = run_thread_ranks(3, [](Communicator& world) {
    if (world.rank() == 1) return;
    try {
      world.barrier().wait();
      ADD_FAILURE() << "completed without rank 1";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::communication);
      EXPECT_NE(std::string_view(error.what()).find("rank 1 has left"), std::string_view::npos) << error.what();
    }
  });
  for (const auto& error : errors) EXPECT_EQ(error, nullptr);
}

TEST(ThreadTransport, ADeadlineNamesTheCallAndWhoIsMissing) {
  std::atomic<bool> gave_up{false};
  const auto caught = errors_of(2,
                                [&](Communicator& world) {
                                  const auto group = world.split(0, world.rank(), "pair");
                                  if (world.rank() == 1) {
                                    while (!gave_up) std::this_thread::yield();
                                    group->all_reduce(ones(4)).wait();  // too late: rank 0's memory may be gone
                                    return;
                                  }
                                  try {
                                    group->all_reduce(ones(4)).wait();
                                  } catch (const Error&) {
                                    gave_up = true;
                                    throw;
                                  }
                                },
                                {.deadline = std::chrono::milliseconds(500)});
  EXPECT_EQ(caught[0].kind, ErrorKind::timeout);
  EXPECT_NE(caught[0].text.find("all_reduce sum f32[4] (call 0 of group 'world/pair.0') is not complete after 500 ms: "
                                "rank 1 has not called it"),
            std::string::npos)
      << caught[0].text;
  EXPECT_EQ(caught[1].kind, ErrorKind::communication);
}

TEST(ThreadTransport, AbortWakesAllGroups) {
  const auto caught = errors_of(3, [](Communicator& world) {
    const auto group = world.split(world.rank() == 0 ? 0 : 1, 0);
    if (world.rank() == 0) {
      group->abort("enough");
      world.barrier().wait();
    }
    if (world.rank() == 1) group->recv(ones(2), 1).wait();  // never sent
    if (world.rank() == 2) world.barrier().wait();
  });
  expect_all(caught, ErrorKind::communication, "aborted: enough");
}

TEST(ThreadTransport, ChecksItsOwnArguments) {
  EXPECT_THROW(run_thread_ranks(0, [](Communicator&) {}), Error);
}

TEST(Watchdog, NamesTheStuckCallAndEndsTheJob) {
  const auto caught = errors_of(3, [](Communicator& world) {
    const auto watched = make_watchdog(borrowed(world), std::chrono::milliseconds(500));
    watched->barrier().wait();
    const auto group = watched->split(0, world.rank(), "data");
    if (world.rank() == 2) {
      while (true) {  // busy elsewhere, until the others have given up
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        group->send(ones(1), 0, 9);
      }
    }
    group->all_reduce(ones(1000)).wait();
  });
  expect_all(caught, ErrorKind::communication, "watchdog: ");
  expect_all(caught, ErrorKind::communication, "of group 'world/data.0', rank ");
}

TEST(Watchdog, NamesBytesAndNumber) {
  const auto caught = errors_of(2, [](Communicator& world) {
    std::unique_ptr<Communicator> watched;
    if (world.rank() == 0) watched = make_watchdog(borrowed(world), std::chrono::milliseconds(500));
    Communicator& used = watched ? *watched : world;
    used.barrier().wait();
    if (world.rank() == 0)
      used.all_reduce(ones(1000)).wait();
    else
      used.recv(ones(1), 0).wait();
  });
  expect_all(
      caught, ErrorKind::communication,
      "watchdog: all_reduce sum f32[1000], call 1 of group 'world', rank 0 of 2, 4000 bytes: not complete after");
}

// A transport that waits for others before there is an event, as one does that connects at its first call.
class Connecting final : public Wrapper {
 public:
  explicit Connecting(Communicator& world) : Wrapper(borrowed(world)) {}
  void abort(std::string_view reason) override {
    aborted_ = true;
    Wrapper::abort(reason);
  }

 protected:
  std::unique_ptr<Communicator> wrap(std::unique_ptr<Communicator> child) override { return child; }
  Event start(const Call& call) override {
    while (!aborted_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return Wrapper::start(call);
  }

 private:
  std::atomic<bool> aborted_{false};
};

TEST(Watchdog, NamesACallThatCannotBegin) {
  const auto caught = errors_of(1, [](Communicator& world) {
    const auto watched = make_watchdog(std::make_shared<Connecting>(world), std::chrono::milliseconds(200));
    watched->all_reduce(ones(1000)).wait();
  });
  expect_all(caught, ErrorKind::communication, "watchdog: all_reduce sum f32[1000], call 0 of group 'world'");
}

TEST(Watchdog, LeavesHonestWorkAlone) {
  run_thread_ranks_or_throw(3, [](Communicator& world) {
    const auto watched = make_watchdog(borrowed(world), std::chrono::milliseconds(1000));
    for (int i = 0; i < 14; ++i) {
      if (world.rank() == i % 3)
        std::this_thread::sleep_for(std::chrono::milliseconds(80));  // together longer than the deadline
      watched->all_reduce(ones(10)).wait();
    }
  });
}

TEST(Tracing, ProvesThatAllRanksIssuedTheSame) {
  run_thread_ranks_or_throw(3, [](Communicator& world) {
    const auto trace = std::make_shared<Trace>();
    const auto traced = make_tracing(borrowed(world), trace);
    traced->all_reduce(ones(4)).wait();
    const auto group = traced->split(world.rank() % 2, world.rank(), "g");
    group->barrier().wait();
    traced->all_gather(ones(2), ones(6)).wait();
    EXPECT_EQ(trace->collectives("world"),
              (std::vector<std::string>{"all_reduce sum f32[4]", "all_gather f32 rows of [], counts (2, 2, 2)"}));
    EXPECT_EQ(trace->bytes(), 16 + 24);
    expect_same_sequence(world, *trace, "world");
  });
}

TEST(Tracing, NamesTheFirstDifference) {
  const auto caught = errors_of(3, [](Communicator& world) {
    Trace trace;
    trace.record({.group = "g", .call = "barrier"});
    if (world.rank() != 1) trace.record({.group = "g", .call = "all_reduce sum f32[4]"});
    expect_same_sequence(world, trace, "g");
  });
  expect_all(caught, ErrorKind::communication,
             "collective 1 of group 'g' differs: ranks 0, 2 called all_reduce sum f32[4]; rank 1 called nothing");
}

TEST(Checking, PassesMessagesAndFindsDifferencesBeforeTheyStart) {
  const auto caught = errors_of(2, [](Communicator& world) {
    const auto checked = make_checking(borrowed(world));
    if (world.rank() == 0)
      checked->send(ones(3), 1).wait();
    else
      checked->recv(ones(3), 0).wait();
    checked->all_to_all(ones(2), {1, 1}, ones(2), {1, 1}).wait();
    if (world.rank() == 0)
      checked->all_to_all(ones(3), {1, 2}, ones(2), {1, 1}).wait();
    else
      checked->all_to_all(ones(2), {1, 1}, ones(2), {1, 1}).wait();
  });
  expect_all(caught, ErrorKind::communication, "in all_to_all rank 0 sends 2 rows to rank 1, which expects 1");
}

}  // namespace
}  // namespace strata::comm
