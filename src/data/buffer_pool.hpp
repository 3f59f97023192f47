// SPDX-License-Identifier: Apache-2.0
//
// Memory for the voxels of batches: blocks that go out as a tensor's storage and come back with its last handle, never
// more than a limit of them, whether lent or kept. Asking when all is lent waits. Thread-safe; lives as long as its
// last block.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>

#include "strata/data/loader.hpp"

namespace strata::data {

class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  // New blocks have at least `usual` bytes, so that most requests fit most blocks.
  BufferPool(BufferMemory memory, std::int64_t limit, std::int64_t usual);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // Waits for room; null when stopped. More than the limit at once: usage error; no memory: environment error.
  std::shared_ptr<Storage> acquire(std::int64_t bytes, const std::stop_token& stop);

  std::int64_t limit() const { return limit_; }
  std::int64_t held() const;
  std::int64_t lent() const;
  std::int64_t peak() const;
  bool waiting() const;  // somebody waits in acquire()

 private:
  class Lent;
  void* find(std::int64_t bytes, std::int64_t& capacity);  // under the lock; null: no room yet
  void* take(std::int64_t capacity);
  void give_back(void* data, std::int64_t capacity);
  void drop_kept();

  BufferMemory memory_;
  const std::int64_t limit_, usual_;
  mutable std::mutex mutex_;
  std::condition_variable_any room_;
  std::multimap<std::int64_t, void*> kept_;  // by capacity
  std::int64_t held_ = 0, lent_ = 0, peak_ = 0;
  int waiting_ = 0;
};

}  // namespace strata::data
