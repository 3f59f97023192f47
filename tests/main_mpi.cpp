// SPDX-License-Identifier: Apache-2.0
//
// main() of every test program that runs on several ranks (strata_rank_test): threads of this process, or the processes
// of mpirun.
//
//   --transport thread | mpi   default: mpi when started by a launcher, thread otherwise
//   --device nccl | staged     tests' tensors lie on devices, and are exchanged so (programs that have devices)
//   --ranks N                  threads (default 4)
//   --hang-rank N              rank N prints process and host and waits for a debugger
//   --deadline S               a test that runs longer is named and the program ended (default 100; 0: none)
//
// Under MPI rank 0 prints and writes the report; other ranks print their failures as they happen, and any rank's
// failure fails all.
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "parallel/comm/mpi.hpp"
#include "tests/support/ranks.hpp"

namespace {

using strata::testing::launch;

struct Options {
  std::string transport = strata::comm::launched_by_mpi() ? "mpi" : "thread";
  int deadline_s = 100;
};

Options parse(int& argc, char** argv) {
  Options options;
  std::vector<char*> rest{argv[0]};
  for (int i = 1; i < argc; ++i) {
    const std::string key = argv[i];
    if (i + 1 < argc && key == "--transport") {
      options.transport = argv[++i];
    } else if (i + 1 < argc && key == "--device") {
      launch().device_transport = argv[++i];
    } else if (i + 1 < argc && key == "--ranks") {
      launch().ranks = std::atoi(argv[++i]);
    } else if (i + 1 < argc && key == "--hang-rank") {
      launch().hang_rank = std::atoi(argv[++i]);
    } else if (i + 1 < argc && key == "--deadline") {
      options.deadline_s = std::atoi(argv[++i]);
    } else {
      rest.push_back(argv[i]);
    }
  }
  argc = static_cast<int>(rest.size());
  for (std::size_t i = 0; i < rest.size(); ++i) argv[i] = rest[i];
  return options;
}

// Names the test that is stuck and ends the program; under mpirun that ends the job.
class HangWatch final : public ::testing::EmptyTestEventListener {
 public:
  HangWatch(int deadline_s, int rank) : deadline_(deadline_s), rank_(rank), thread_([this] { run(); }) {}
  ~HangWatch() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  void OnTestStart(const ::testing::TestInfo& info) override {
    set(std::string(info.test_suite_name()) + "." + info.name());
  }
  void OnTestEnd(const ::testing::TestInfo&) override { set("what follows the last test"); }

 private:
  void set(std::string name) {
    const std::lock_guard lock(mutex_);
    name_ = std::move(name);
    begin_ = std::chrono::steady_clock::now();
  }
  void run() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, std::chrono::milliseconds(200), [this] { return stop_; })) {
      if (deadline_.count() == 0 || std::chrono::steady_clock::now() - begin_ < deadline_) continue;
      std::fprintf(stderr, "[hang watchdog] %s has not ended after %d s on rank %d: the program is ended\n",
                   name_.c_str(), static_cast<int>(deadline_.count()), rank_);
      std::fflush(stderr);
      std::_Exit(7);
    }
  }

  std::chrono::seconds deadline_;
  int rank_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string name_ = "the start";
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  bool stop_ = false;
  std::thread thread_;
};

// For ranks that are not rank 0.
class FailurePrinter final : public ::testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const char* file = result.file_name() == nullptr ? "?" : result.file_name();
    std::fprintf(stderr, "[rank %d] %s:%d: %s\n", rank_, file, result.line_number(), result.message());
  }

 private:
  int rank_;
};

int run_tests(int deadline_s, int rank) {
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  if (rank != 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter(rank));
  }
  auto* watch = new HangWatch(deadline_s, rank);
  listeners.Append(watch);
  const int code = RUN_ALL_TESTS();
  delete listeners.Release(watch);
  return code;
}

int run_over_threads(int argc, char** argv, const Options& options) {
  ::testing::InitGoogleTest(&argc, argv);
  return run_tests(options.deadline_s, 0);
}

// One report a job: only rank 0 may write the file that --gtest_output names.
void drop_report(int& argc, char** argv) {
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    if (std::strncmp(argv[i], "--gtest_output", 14) != 0) argv[kept++] = argv[i];
  }
  argc = kept;
}

int run_over_mpi(int argc, char** argv, const Options& options) {
  strata::comm::MpiJob job({.deadline = launch().deadline});
  const auto world = job.world();
  strata::set_thread_rank_label(world->rank());
  launch().mpi_world = world.get();
  launch().mpi_world_in_pieces = [&job](std::int64_t largest) {
    return job.world({.deadline = launch().deadline, .largest_piece = largest});
  };
  if (world->rank() != 0) drop_report(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  if (world->rank() == launch().hang_rank) strata::testing::park_for_debugger(world->rank());
  std::int64_t code = run_tests(options.deadline_s, world->rank());
  world->all_reduce(strata::Tensor::borrow(&code, strata::DType::i64, {1}), strata::comm::Reduction::max).wait();
  return static_cast<int>(code);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  try {
    if (!launch().device_transport.empty() && !launch().open_device) {
      std::fprintf(stderr, "the ranks of this program have no devices: leave --device out\n");
      return 2;
    }
    if (options.transport == "thread") return run_over_threads(argc, argv, options);
    if (options.transport == "mpi") return run_over_mpi(argc, argv, options);
    std::fprintf(stderr, "unknown transport '%s': thread or mpi\n", options.transport.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 4;
  }
  return 2;
}
