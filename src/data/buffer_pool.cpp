// SPDX-License-Identifier: Apache-2.0
#include "data/buffer_pool.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

#include "strata/base/error.hpp"

namespace strata::data {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

// Large blocks ask for huge pages: reads then spend their time copying instead of faulting pages in.
void* take_pages(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : 4096;
  const std::size_t rounded = round_up(bytes, alignment);
  void* data = std::aligned_alloc(alignment, rounded);
  if (data != nullptr && alignment == kHugePage) madvise(data, rounded, MADV_HUGEPAGE);
  return data;
}

BufferMemory or_pages(BufferMemory memory) {
  if (!memory.take) memory = {take_pages, [](void* data, std::size_t) { std::free(data); }};
  return memory;
}

}  // namespace

class BufferPool::Lent final : public Storage {
 public:
  Lent(std::shared_ptr<BufferPool> pool, void* data, std::int64_t capacity)
      : Storage(data, static_cast<std::size_t>(capacity), Device{}), pool_(std::move(pool)) {}
  ~Lent() override { pool_->give_back(data(), static_cast<std::int64_t>(bytes())); }

 private:
  std::shared_ptr<BufferPool> pool_;
};

BufferPool::BufferPool(BufferMemory memory, std::int64_t limit, std::int64_t usual)
    : memory_(or_pages(std::move(memory))), limit_(limit), usual_(std::min(usual, limit)) {}

BufferPool::~BufferPool() { drop_kept(); }

void BufferPool::drop_kept() {
  for (const auto& [capacity, data] : kept_) {
    memory_.give(data, static_cast<std::size_t>(capacity));
    held_ -= capacity;
  }
  kept_.clear();
}

void* BufferPool::take(std::int64_t capacity) {
  void* data = memory_.take(static_cast<std::size_t>(capacity));
  STRATA_CHECK(data != nullptr, environment, "loader",
               fmt::format("no memory for a buffer of {} bytes beside {} bytes of others", capacity, held_),
               "lower the loader's buffer_bytes");
  held_ += capacity;
  peak_ = std::max(peak_, held_);
  return data;
}

void* BufferPool::find(std::int64_t bytes, std::int64_t& capacity) {
  if (const auto fitting = kept_.lower_bound(bytes); fitting != kept_.end()) {
    capacity = fitting->first;
    void* data = fitting->second;
    kept_.erase(fitting);
    return data;
  }
  // A batch beyond the usual may need what smaller kept blocks occupy; a usual one then makes do with what is left.
  for (const std::int64_t wanted : {std::max(bytes, usual_), bytes}) {
    if (lent_ + wanted > limit_) continue;
    if (held_ + wanted > limit_) drop_kept();
    capacity = wanted;
    return take(capacity);
  }
  return nullptr;
}

std::shared_ptr<Storage> BufferPool::acquire(std::int64_t bytes, const std::stop_token& stop) {
  STRATA_CHECK(bytes <= limit_, usage, "loader",
               fmt::format("a micro-batch of {} bytes does not fit into {} bytes of buffers", bytes, limit_),
               "raise the loader's buffer_bytes, or lower its max_scans or token budget");
  std::unique_lock lock(mutex_);
  std::int64_t capacity = 0;
  void* data = nullptr;
  ++waiting_;
  try {
    room_.wait(lock, stop, [&] { return (data = find(bytes, capacity)) != nullptr; });
  } catch (...) {
    --waiting_;
    throw;
  }
  --waiting_;
  if (data == nullptr) return nullptr;
  lent_ += capacity;
  lock.unlock();
  return std::make_shared<Lent>(shared_from_this(), data, capacity);
}

void BufferPool::give_back(void* data, std::int64_t capacity) {
  {
    const std::lock_guard lock(mutex_);
    lent_ -= capacity;
    kept_.emplace(capacity, data);
  }
  room_.notify_all();
}

std::int64_t BufferPool::held() const {
  const std::lock_guard lock(mutex_);
  return held_;
}

std::int64_t BufferPool::lent() const {
  const std::lock_guard lock(mutex_);
  return lent_;
}

std::int64_t BufferPool::peak() const {
  const std::lock_guard lock(mutex_);
  return peak_;
}

bool BufferPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_ > 0;
}

}  // namespace strata::data
