// SPDX-License-Identifier: Apache-2.0
//
// Runs a test's body on several ranks: `run_ranks(4, [](comm::Communicator& world) { ... });`. In a program with
// tests/main_mpi.cpp the ranks are those the program was started with (threads, or MPI's processes); in any other test
// program they are threads. GoogleTest's assertions work inside the body; a failure on any rank is a failure of the
// test and names the rank, an exception too.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "parallel/comm/local.hpp"
#include "parallel/comm/strings.hpp"
#include "parallel/comm/thread.hpp"
#include "strata/base/error.hpp"
#include "strata/runtime/context.hpp"

namespace strata::testing {

using Body = std::function<void(comm::Communicator&)>;

// A rank's device, and the communicator that serves its tensors.
struct DeviceRank {
  std::shared_ptr<Backend> backend;
  std::shared_ptr<comm::Communicator> world;
};

// How the program was started; filled in by tests/main_mpi.cpp.
struct Launch {
  comm::Communicator* mpi_world = nullptr;  // nullptr: ranks are threads
  // An MPI world that hands at most this many elements to one call.
  std::function<std::unique_ptr<comm::Communicator>(std::int64_t largest_piece)> mpi_world_in_pieces;
  // Programs whose ranks have devices say how one is opened, over the ranks' own transport.
  std::function<DeviceRank(comm::Communicator& carrier, const std::string& transport)> open_device;
  std::function<KernelTable()> device_kernels;
  std::string why_no_device;     // on this machine
  std::string device_transport;  // nccl | staged; empty: the test's tensors lie on the host
  int ranks = 4;
  int hang_rank = -1;
  std::chrono::milliseconds deadline{60'000};  // of one wait
};
inline Launch& launch() {
  static Launch value;
  return value;
}

// Set it from a debugger to let a rank parked by --hang-rank go on.
inline volatile int debugger_is_there = 0;

inline void park_for_debugger(int rank) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  std::fprintf(stderr,
               "[hang-rank] rank %d waits for a debugger: process %d, thread %d on %s; set "
               "strata::testing::debugger_is_there = 1 to go on\n",
               rank, static_cast<int>(getpid()), static_cast<int>(gettid()), host.data());
  std::fflush(stderr);
  while (debugger_is_there == 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

inline std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

// The device of the rank that runs on this thread; nullptr: the host.
inline std::shared_ptr<Backend>& rank_device() {
  thread_local std::shared_ptr<Backend> backend;
  return backend;
}

// A test's host tensor as its communicator takes it, and back. Both wait.
inline Tensor placed(const Tensor& host) {
  if (!rank_device()) return host;
  static const KernelTable none("none");
  const Context ctx(rank_device(), none);
  Tensor there = ctx.upload(host);
  ctx.synchronise();
  return there;
}
inline Tensor fetched(const Tensor& tensor) {
  if (!rank_device() || tensor.device() == Device{}) return tensor;
  static const KernelTable none("none");
  return Context(rank_device(), none).download(tensor);
}

inline void run_with_device(comm::Communicator& world, const Body& body) {
  if (launch().device_transport.empty()) return body(world);
  const DeviceRank rank = launch().open_device(world, launch().device_transport);
  rank_device() = rank.backend;
  const std::unique_ptr<Backend, void (*)(Backend*)> at_end(rank.backend.get(), [](Backend*) { rank_device() = {}; });
  body(*rank.world);
}

inline void run_as_threads(int ranks, const Body& body) {
  const auto errors = comm::run_thread_ranks(
      ranks,
      [&](comm::Communicator& world) {
        SCOPED_TRACE("rank " + std::to_string(world.rank()) + " of " + std::to_string(world.size()));
        if (world.rank() == launch().hang_rank) park_for_debugger(world.rank());
        run_with_device(world, body);
      },
      {.deadline = launch().deadline});
  for (std::size_t rank = 0; rank < errors.size(); ++rank) {
    if (errors[rank]) ADD_FAILURE() << "rank " << rank << " of " << ranks << " threw: " << message_of(errors[rank]);
  }
}

// What failed in the running test on this rank, from its `first` result on.
inline std::string failures_since(int first) {
  std::string text;
  const auto& result = *::testing::UnitTest::GetInstance()->current_test_info()->result();
  for (int i = first; i < result.total_part_count(); ++i) {
    if (result.GetTestPartResult(i).failed()) text += std::string(result.GetTestPartResult(i).message()) + "\n";
  }
  return text;
}

// An exception cannot be survived alone: the other ranks would wait for this one. So it ends the job, and the test's
// name is told.
inline void run_as_process(comm::Communicator& world, const Body& body) {
  const auto& info = *::testing::UnitTest::GetInstance()->current_test_info();
  const int first = info.result()->total_part_count();
  try {
    run_with_device(world, body);
    const auto failures = comm::gather_texts(world, failures_since(first));
    for (std::size_t rank = 1; world.rank() == 0 && rank < failures.size(); ++rank) {
      if (!failures[rank].empty())
        ADD_FAILURE() << "on rank " << rank << " of " << failures.size() << ":\n" << failures[rank];
    }
  } catch (const std::exception& error) {
    world.abort(std::string("test ") + info.test_suite_name() + "." + info.name() + " threw: " + error.what());
  }
}

inline int launched_ranks() { return launch().mpi_world ? launch().mpi_world->size() : launch().ranks; }

// Why tests whose ranks have devices cannot run; empty: they can.
inline std::string lacks_devices() {
  if (!launch().open_device) return {};
  return launch().device_transport.empty() ? "started without --device" : launch().why_no_device;
}

// On the ranks the program was started with. The test is skipped where these have no devices, but should.
inline void run_ranks(const Body& body) {
  if (const auto why = lacks_devices(); !why.empty()) GTEST_SKIP() << why;
  if (launch().mpi_world == nullptr) return run_as_threads(launch().ranks, body);
  run_as_process(*launch().mpi_world, body);
}

// On exactly this many: MPI's first ranks when there are so many processes, threads (of every process) otherwise.
inline void run_ranks(int ranks, const Body& body) {
  if (const auto why = lacks_devices(); !why.empty()) GTEST_SKIP() << why;
  auto* world = launch().mpi_world;
  if (world == nullptr || ranks > world->size()) return run_as_threads(ranks, body);
  run_as_process(*world, [&](comm::Communicator& all) {
    const auto group = all.split(all.rank() < ranks ? 0 : -1, all.rank(), "run");
    if (group) body(*group);
  });
}

}  // namespace strata::testing
