// SPDX-License-Identifier: Apache-2.0
//
// Keeps freed blocks and hands them out again, with statistics by kind: a training step asks for the same sizes over
// and over, and asking the system costs page faults (or, on a device, a synchronisation). Blocks are rounded up to size
// classes of at most 12.5 % waste. Not for tiny long-lived objects. A device names the queue (a stream) that a block is
// used and freed on: a freed block serves its queue again at once, and no other before it went back to the system.
// Thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "strata/runtime/backend.hpp"

namespace strata {

struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;
};

class CachingAllocator {
 public:
  using Take = std::function<void*(std::size_t bytes)>;  // nullptr when the system has no more
  using Give = std::function<void(void* data, std::size_t bytes)>;

  CachingAllocator(Take take, Give give, bool cache);
  ~CachingAllocator();
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  // Environment error when even an emptied cache leaves too little.
  void* allocate(std::size_t bytes, MemoryKind kind = MemoryKind::other, const void* queue = nullptr);
  void free(void* data, std::size_t bytes, MemoryKind kind = MemoryKind::other, const void* queue = nullptr) noexcept;
  void relabel(std::size_t bytes, MemoryKind from, MemoryKind to) noexcept;
  void trim();  // give all cached blocks back
  // Takes these very blocks out of what is cached for `queue`, all of them or, where one is not there, none: false.
  // They count as in use until `unclaim`.
  bool claim(std::span<const Block> blocks, MemoryKind kind, const void* queue);
  void unclaim(std::span<const Block> blocks, MemoryKind kind, const void* queue) noexcept;
  // Appends every block that is handed out for `queue` to a list, until it is told nullptr.
  void watch(std::vector<Block>* seen, const void* queue);
  MemoryReport report() const;
  void reset_peak();

  static std::size_t size_class(std::size_t bytes);

 private:
  void count(std::int64_t bytes, MemoryKind kind);
  void* reuse_or_take(std::size_t rounded, const void* queue);
  bool hoards(std::size_t rounded) const;  // work of many different sizes would keep far more than it ever used at once
  void release_cached();

  Take take_;
  Give give_;
  bool cache_;
  mutable std::mutex mutex_;
  std::map<std::pair<const void*, std::size_t>, std::vector<void*>> cached_;  // by queue and size
  MemoryReport report_;
  std::int64_t high_water_ = 0;  // most that was ever in use
  std::vector<Block>* seen_ = nullptr;
  const void* seen_queue_ = nullptr;
};

}  // namespace strata
