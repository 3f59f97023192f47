// SPDX-License-Identifier: Apache-2.0
#include "data/pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "strata/base/error.hpp"
#include "strata/base/log.hpp"
#include "strata/base/text.hpp"
#include "strata/runtime/context.hpp"

namespace strata::data {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kMostAhead = 16;  // batches without voxels take no buffer: they end somewhere too
constexpr std::int64_t kTaskBytes = std::int64_t{4} << 20;  // a read call: long enough to pay, short enough to share

// What went wrong, with the study in front. Called within a handler.
[[noreturn]] void fail_for(const std::string& what) {
  try {
    throw;
  } catch (const Error& error) {
    fail(error.kind(), "loader", fmt::format("{}: [{}] {}", what, error.subject(), error.message()), error.hint(),
         error.where());
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::environment, "loader", what + ": out of memory");
  } catch (const std::exception& error) {
    fail(ErrorKind::internal, "loader", fmt::format("{}: {}", what, error.what()));
  }
}

bool same_study(const ScanRead& a, const ScanRead& b) { return a.key.set == b.key.set && a.key.study == b.key.study; }

}  // namespace

struct Pipeline::Job {
  Batch batch;
  std::vector<ScanRead> reads;  // [S]
  std::size_t unfinished = 0;   // tasks
  std::exception_ptr error;     // the first one
};

// Reads [begin, end) of a job's, all of one study.
struct Pipeline::Task {
  JobPtr job;
  std::size_t begin = 0, end = 0;
};

Pipeline::Pipeline(const Parts& parts, std::int64_t first_step) : parts_(parts), first_step_(first_step) {
  const auto& mixture = parts_.planner.mixture();
  bool together = false;
  for (std::int64_t set = 0; set < mixture.set_count(); ++set) together |= mixture.source(set).collective();
  const int rank = thread_rank_label();
  const auto spawn = [&](void (Pipeline::*body)(const std::stop_token&)) {
    threads_.emplace_back([this, body, rank](const std::stop_token& stop) {
      set_thread_rank_label(rank);
      (this->*body)(stop);
    });
  };
  spawn(together ? &Pipeline::feed_together : &Pipeline::feed);
  for (int i = 0; !together && i < parts_.options.threads; ++i) spawn(&Pipeline::work);
}

Pipeline::~Pipeline() {
  for (auto& thread : threads_) thread.request_stop();  // all at once; their destructors then join
}

template <class Round>
void Pipeline::for_each_round(Round&& round) {
  const std::int64_t steps = parts_.planner.steps();
  for (std::int64_t step = first_step_; steps < 0 || step < steps; ++step) {
    const StepPlan plan = parts_.planner.plan(step);
    const auto rounds = static_cast<std::int64_t>(plan.rounds.front().size());
    for (std::int64_t i = 0; i < rounds; ++i)
      if (!round(plan, i)) return;
  }
  finish_with(nullptr);
}

Pipeline::JobPtr Pipeline::make_job(const StepPlan& plan, std::int64_t round) {
  auto unread = parts_.planner.batch(plan, parts_.options.rank, round);
  auto job = std::make_shared<Job>();
  job->batch = std::move(unread.batch);
  job->reads = std::move(unread.reads);
  return job;
}

bool Pipeline::give_buffer(Job& job, const std::stop_token& stop) {
  const auto& grid = parts_.planner.mixture().grid();
  const auto count = static_cast<std::int64_t>(job.reads.size());
  const Shape shape{count, grid.channels, grid.extents[0], grid.extents[1], grid.extents[2]};
  if (count == 0) {
    job.batch.scans = host_tensor(grid.dtype, shape);
    return true;
  }
  auto storage = parts_.buffers.acquire(count * grid.scan_bytes(), stop);
  if (storage == nullptr) return false;
  job.batch.scans = Tensor(std::move(storage), grid.dtype, shape);
  return true;
}

void Pipeline::give_buffer_or_nothing(Job& job, const std::stop_token& stop) {
  try {
    if (!stop.stop_requested() && give_buffer(job, stop)) return;
  } catch (...) {
    job.error = std::current_exception();
  }
  job.reads.clear();
}

bool Pipeline::wait_for_turn(std::int64_t most_ahead, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  return turn_.wait(lock, stop, [&] { return issued_ < taken_ + most_ahead; });
}

// The job goes into the queue, its reads to the threads: whole studies, split where they are long.
void Pipeline::publish(const JobPtr& job) {
  const std::int64_t scan_bytes = parts_.planner.mixture().grid().scan_bytes();
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(1, kTaskBytes / scan_bytes));
  std::vector<Task> tasks;
  for (std::size_t begin = 0, end = 0; begin < job->reads.size(); begin = end) {
    while (end < job->reads.size() && end - begin < most && same_study(job->reads[end], job->reads[begin])) ++end;
    tasks.push_back({job, begin, end});
  }
  {
    const std::lock_guard lock(mutex_);
    job->unfinished = tasks.size();
    jobs_.push_back(job);
    ++issued_;
    for (auto& task : tasks) tasks_.push_back(std::move(task));
  }
  work_.notify_all();
  if (tasks.empty()) ready_.notify_all();
}

void Pipeline::finish_with(std::exception_ptr error) {
  {
    const std::lock_guard lock(mutex_);
    if (error) {
      auto job = std::make_shared<Job>();
      job->error = std::move(error);
      jobs_.push_back(std::move(job));
    }
    ended_ = true;
  }
  ready_.notify_all();
}

void Pipeline::feed(const std::stop_token& stop) {
  try {
    for_each_round([&](const StepPlan& plan, std::int64_t round) {
      auto job = make_job(plan, round);
      if (!wait_for_turn(kMostAhead, stop) || !give_buffer(*job, stop)) return false;
      publish(job);
      return true;
    });
  } catch (...) {
    finish_with(std::current_exception());
  }
}

// Every rank makes the same calls in the same order: a round is begun when the one kCollectiveDepth before it was taken
// by the caller, and a stopped rank still answers, without requests, the rounds that the others may have begun.
void Pipeline::feed_together(const std::stop_token& stop) {
  try {
    for_each_round([&](const StepPlan& plan, std::int64_t round) {
      if (!wait_for_turn(kCollectiveDepth, stop)) return false;
      auto job = make_job(plan, round);
      give_buffer_or_nothing(*job, stop);
      read_together(*job);
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
      ++issued_;
      ready_.notify_all();
      return true;
    });
  } catch (...) {
    finish_with(std::current_exception());
  }
}

void Pipeline::read_together(Job& job) {
  const auto& mixture = parts_.planner.mixture();
  for (std::int64_t set = 0; set < mixture.set_count(); ++set) {
    std::vector<ScanRead> mine;
    std::ranges::copy_if(job.reads, std::back_inserter(mine), [&](const auto& read) { return read.key.set == set; });
    if (mine.empty() && !mixture.source(set).collective()) continue;
    try {
      read(job, set, mine);
    } catch (...) {
      if (!job.error) job.error = std::current_exception();
    }
  }
}

void Pipeline::work(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (work_.wait(lock, stop, [&] { return !tasks_.empty(); }) && !stop.stop_requested()) {
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    run(task);
    lock.lock();
  }
}

void Pipeline::run(const Task& task) {
  std::exception_ptr error;
  try {
    const auto scans = std::span(task.job->reads).subspan(task.begin, task.end - task.begin);
    read(*task.job, scans.front().key.set, scans);
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  if (error && !task.job->error) task.job->error = error;
  if (--task.job->unfinished == 0) ready_.notify_all();
}

std::span<std::byte> Pipeline::place_of(const Job& job, const ScanRead& scan) const {
  const auto bytes = static_cast<std::size_t>(parts_.planner.mixture().grid().scan_bytes());
  return {static_cast<std::byte*>(job.batch.scans.raw()) + static_cast<std::size_t>(scan.place) * bytes, bytes};
}

std::string Pipeline::describe(std::int64_t set, std::span<const ScanRead> scans) const {
  const StudySource& source = parts_.planner.mixture().source(set);
  const bool one = !scans.empty() && std::ranges::all_of(scans, [&](const auto& s) { return same_study(s, scans[0]); });
  const std::string what = one ? "study " + printable(source.key(scans[0].key.study))
                               : fmt::format("{} scans of several studies", scans.size());
  return fmt::format("cannot read {} of {}", what, printable(source.name()));
}

// Scans of one set, out of the cache or the source, into their places.
void Pipeline::read(const Job& job, std::int64_t set, std::span<const ScanRead> scans) {
  const StudySource& source = parts_.planner.mixture().source(set);
  std::vector<ReadRequest> requests;
  std::vector<const ScanRead*> read;
  for (const auto& scan : scans) {
    const auto into = place_of(job, scan);
    if (parts_.cache.copy(scan.key, into)) continue;
    requests.push_back({scan.key.study, scan.key.scan, 0, source.grid().extents[0], into});
    read.push_back(&scan);
  }
  if (requests.empty() && !source.collective()) {
    parts_.counters.cache_hits += static_cast<std::int64_t>(scans.size());
    return;
  }
  const auto start = Clock::now();
  try {
    source.read(requests);
    for (const auto* scan : read) parts_.cache.offer(scan->key, place_of(job, *scan));
  } catch (...) {
    fail_for(describe(set, scans));
  }
  auto& counters = parts_.counters;
  counters.nanoseconds_reading += std::chrono::nanoseconds(Clock::now() - start).count();
  counters.bytes_read += static_cast<std::int64_t>(requests.size()) * source.grid().scan_bytes();
  counters.cache_hits += static_cast<std::int64_t>(scans.size() - requests.size());
  if (parts_.cache.enabled()) counters.cache_misses += static_cast<std::int64_t>(requests.size());
}

void Pipeline::wait_for_front(std::unique_lock<std::mutex>& lock) {
  const std::chrono::duration<double> patience(parts_.options.patience_seconds);
  const auto ready = [&] { return jobs_.empty() ? ended_ : jobs_.front()->unfinished == 0; };
  while (!ready_.wait_for(lock, patience, ready)) {
    STRATA_CHECK(!jobs_.empty() || !parts_.buffers.waiting(), timeout, "loader",
                 fmt::format("no buffer came back for {:g} s: {} of {} bytes are with the caller", patience.count(),
                             parts_.buffers.lent(), parts_.buffers.limit()),
                 "drop each batch once it is on the device, or raise the loader's buffer_bytes");
    log(LogLevel::warning, "loader", fmt::format("still waiting for studies after {:g} s", patience.count()));
  }
}

std::optional<Batch> Pipeline::next() {
  std::unique_lock lock(mutex_);
  wait_for_front(lock);
  if (jobs_.empty()) return std::nullopt;
  const JobPtr job = jobs_.front();
  if (job->error) std::rethrow_exception(job->error);  // it stays in front: nothing is skipped over
  jobs_.pop_front();
  ++taken_;
  turn_.notify_all();
  return std::move(job->batch);
}

}  // namespace strata::data
