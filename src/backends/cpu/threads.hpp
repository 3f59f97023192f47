// SPDX-License-Identifier: Apache-2.0
//
// The one way in which kernels of this backend use threads. Work of n items is cut into chunks of `grain`; chunks
// depend on n and grain alone, so a sum formed a chunk at a time, and added up chunk after chunk, has the same bits on
// every number of threads. Not for work that blocks. A region costs a few microseconds with several threads, nothing
// with one.
#pragma once

#include <cstdint>
#include <type_traits>

#include "strata/runtime/context.hpp"

namespace strata::cpu {

// even: neighbouring chunks on one thread. uneven: chunks are dealt as threads become free; for items of very different
// cost.
enum class Schedule : std::uint8_t { even, uneven };

namespace detail {
using ChunkCall = void (*)(const void* function, std::int64_t begin, std::int64_t end);
void run_chunks(const Context& ctx, std::int64_t n, std::int64_t grain, Schedule schedule, ChunkCall call,
                const void* function);
}  // namespace detail

// Calls function(begin, end) for [0, grain), [grain, 2·grain), ... up to n, each once, on the backend's threads. An
// exception leaves as that of the first chunk that threw, after all chunks ended. Inside another parallel_for: runs on
// the calling thread.
template <class Function>
void parallel_for(const Context& ctx, std::int64_t n, std::int64_t grain, const Function& function,
                  Schedule schedule = Schedule::even) {
  detail::run_chunks(
      ctx, n, grain, schedule,
      [](const void* f, std::int64_t begin, std::int64_t end) { (*static_cast<const Function*>(f))(begin, end); },
      &function);
}

inline std::int64_t chunks_of(std::int64_t n, std::int64_t grain) { return (n + grain - 1) / grain; }

// Rows a chunk so that a chunk has about `items` elements.
inline std::int64_t rows_a_chunk(std::int64_t columns, std::int64_t items = 16384) {
  return columns >= items ? 1 : items / (columns > 0 ? columns : 1);
}

// Sets the number of threads that libraries on OpenMP use from this thread, while it lives.
class LibraryThreads {
 public:
  explicit LibraryThreads(int threads);
  ~LibraryThreads();
  LibraryThreads(const LibraryThreads&) = delete;
  LibraryThreads& operator=(const LibraryThreads&) = delete;

 private:
  int before_;
};

int default_threads();  // what OpenMP would use
int processors();       // logical ones this process may use

}  // namespace strata::cpu
