// SPDX-License-Identifier: Apache-2.0
//
// Reads ahead from one step on, for ever or to the end, until it is destroyed. One thread plans and waits for buffers,
// others read; with a collective source one thread does both, in lockstep with the other ranks. Batches come out in
// order. next() belongs to one thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "data/buffer_pool.hpp"
#include "data/scan_cache.hpp"
#include "data/step_planner.hpp"

namespace strata::data {

// Counted by several threads.
struct PipelineCounters {
  std::atomic<std::int64_t> bytes_read{0}, cache_hits{0}, cache_misses{0}, nanoseconds_reading{0};
};

class Pipeline {
 public:
  // All of them outlive the pipeline.
  struct Parts {
    const StepPlanner& planner;
    const LoaderOptions& options;
    BufferPool& buffers;
    ScanCache& cache;
    PipelineCounters& counters;
  };

  Pipeline(const Parts& parts, std::int64_t first_step);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  std::optional<Batch> next();

 private:
  struct Job;
  struct Task;
  using JobPtr = std::shared_ptr<Job>;

  void feed(const std::stop_token& stop);
  void feed_together(const std::stop_token& stop);
  void work(const std::stop_token& stop);
  template <class Round>
  void for_each_round(Round&& round);  // until it returns false

  JobPtr make_job(const StepPlan& plan, std::int64_t round);
  bool give_buffer(Job& job, const std::stop_token& stop);             // false: stopped
  void give_buffer_or_nothing(Job& job, const std::stop_token& stop);  // stopped or failed: no reads either
  bool wait_for_turn(std::int64_t most_ahead, const std::stop_token& stop);
  void publish(const JobPtr& job);
  void finish_with(std::exception_ptr error);
  void run(const Task& task);
  void read_together(Job& job);
  void read(const Job& job, std::int64_t set, std::span<const ScanRead> scans);
  std::span<std::byte> place_of(const Job& job, const ScanRead& scan) const;
  std::string describe(std::int64_t set, std::span<const ScanRead> scans) const;
  void wait_for_front(std::unique_lock<std::mutex>& lock);

  Parts parts_;
  const std::int64_t first_step_;

  std::mutex mutex_;
  std::condition_variable_any ready_;  // the first job may be, or there are no more
  std::condition_variable_any turn_;   // a job was taken
  std::condition_variable_any work_;   // there are tasks
  std::deque<JobPtr> jobs_;            // in order
  std::deque<Task> tasks_;
  std::int64_t issued_ = 0, taken_ = 0;  // rounds
  bool ended_ = false;

  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

}  // namespace strata::data
