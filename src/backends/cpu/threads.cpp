// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/threads.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>

#include "backends/cpu/backend.hpp"

namespace strata::cpu {
namespace {

struct Region {
  std::int64_t n, grain;
  detail::ChunkCall call;
  const void* function;
  // libgomp's own barriers are invisible to the thread sanitizer; these two say the same in a way that it sees.
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  std::mutex mutex{};
  std::int64_t failed_chunk = std::numeric_limits<std::int64_t>::max();
  std::exception_ptr failure{};
};

void run_chunk(Region& region, std::int64_t chunk) {
  region.begun.load(std::memory_order_acquire);
  try {
    const std::int64_t begin = chunk * region.grain;
    region.call(region.function, begin, std::min(region.n, begin + region.grain));
  } catch (...) {
    const std::scoped_lock lock(region.mutex);
    if (chunk < region.failed_chunk) {
      region.failed_chunk = chunk;
      region.failure = std::current_exception();
    }
  }
  region.ended.fetch_add(1, std::memory_order_release);
}

// Not instrumented, because the compiler passes the arguments of a region through memory that only libgomp orders.
[[gnu::no_sanitize_thread]] void run_even(Region& region, std::int64_t chunks, int threads) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) run_chunk(region, chunk);
}

[[gnu::no_sanitize_thread]] void run_uneven(Region& region, std::int64_t chunks, int threads) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::int64_t chunk = 0; chunk < chunks; ++chunk) run_chunk(region, chunk);
}

}  // namespace

void detail::run_chunks(const Context& ctx, std::int64_t n, std::int64_t grain, Schedule schedule, ChunkCall call,
                        const void* function) {
  const std::int64_t chunks = chunks_of(n, grain);
  const int threads = static_cast<int>(std::min<std::int64_t>(cpu_backend(ctx).threads(), chunks));
  if (threads <= 1 || omp_in_parallel() != 0) {
    for (std::int64_t begin = 0; begin < n; begin += grain) call(function, begin, std::min(n, begin + grain));
    return;
  }
  Region region{.n = n, .grain = grain, .call = call, .function = function};
  region.begun.store(1, std::memory_order_release);
  schedule == Schedule::even ? run_even(region, chunks, threads) : run_uneven(region, chunks, threads);
  region.ended.load(std::memory_order_acquire);
  if (region.failure) std::rethrow_exception(region.failure);
}

LibraryThreads::LibraryThreads(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
LibraryThreads::~LibraryThreads() { omp_set_num_threads(before_); }

int default_threads() { return omp_get_max_threads(); }
int processors() { return omp_get_num_procs(); }

}  // namespace strata::cpu
