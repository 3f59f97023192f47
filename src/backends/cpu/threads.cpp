// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/threads.hpp"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <vector>

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

// One chunk alone, once for work of this kind and size, and then the memory that all threads would have taken for
// theirs. Kernels whose chunks are long leave them once they have their scratch memory.
void rehearse(const Context& ctx, std::int64_t n, std::int64_t grain, int threads, detail::ChunkCall call,
              const void* function) {
  ScratchMeter& meter = cpu_backend(ctx).meter();
  if (meter.running()) return call(function, 0, std::min(n, grain));  // a region inside a chunk
  const std::size_t scratch = meter.measured({reinterpret_cast<std::uintptr_t>(call), n, grain},
                                             [&] { call(function, 0, std::min(n, grain)); });
  std::vector<Tensor> blocks;
  for (int i = 0; i < threads && scratch > 0; ++i)
    blocks.push_back(ctx.empty(DType::u8, {static_cast<std::int64_t>(scratch)}));
}

}  // namespace

void detail::run_chunks(const Context& ctx, std::int64_t n, std::int64_t grain, Schedule schedule, ChunkCall call,
                        const void* function) {
  const std::int64_t chunks = chunks_of(n, grain);
  const int threads = static_cast<int>(std::min<std::int64_t>(cpu_backend(ctx).threads(), chunks));
  if (cpu_backend(ctx).rehearsal()) {
    if (n > 0) rehearse(ctx, n, grain, threads, call, function);
    return;
  }
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
