// SPDX-License-Identifier: Apache-2.0
#include "strata/runtime/caching_allocator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "strata/base/error.hpp"

namespace strata {

CachingAllocator::CachingAllocator(Take take, Give give, bool cache)
    : take_(std::move(take)), give_(std::move(give)), cache_(cache) {}

CachingAllocator::~CachingAllocator() { release_cached(); }

std::size_t CachingAllocator::size_class(std::size_t bytes) {
  if (bytes <= 256) return 256;
  const std::size_t step = std::bit_floor(bytes - 1) / 8;  // eight classes between two powers of two
  return (bytes + step - 1) / step * step;
}

bool CachingAllocator::hoards(std::size_t rounded) const {
  constexpr std::int64_t kSlack = std::int64_t{256} << 20;
  return report_.reserved + static_cast<std::int64_t>(rounded) > high_water_ + high_water_ / 2 + kSlack;
}

void* CachingAllocator::reuse_or_take(std::size_t rounded, const void* queue) {
  const auto row = cached_.find({queue, rounded});
  if (row != cached_.end() && !row->second.empty()) {
    void* block = row->second.back();
    row->second.pop_back();
    ++report_.reused;
    return block;
  }
  if (hoards(rounded)) release_cached();
  void* block = take_(rounded);
  if (block == nullptr) {
    release_cached();
    block = take_(rounded);
  }
  if (block != nullptr) report_.reserved += static_cast<std::int64_t>(rounded);
  return block;
}

void CachingAllocator::count(std::int64_t bytes, MemoryKind kind) {
  report_.in_use += bytes;
  report_.by_kind[static_cast<std::size_t>(kind)] += bytes;
  high_water_ = std::max(high_water_, report_.in_use);
  if (report_.in_use <= report_.peak) return;
  report_.peak = report_.in_use;
  report_.peak_by_kind = report_.by_kind;
}

void* CachingAllocator::allocate(std::size_t bytes, MemoryKind kind, const void* queue) {
  const std::size_t rounded = size_class(bytes);
  const std::scoped_lock lock(mutex_);
  void* block = reuse_or_take(rounded, queue);
  STRATA_CHECK(block != nullptr, environment, "memory",
               fmt::format("no memory for {} bytes; {} bytes are in use, peak {}", bytes, report_.in_use, report_.peak),
               "use a smaller batch, activation checkpointing, or more ranks");
  ++report_.allocations;
  count(static_cast<std::int64_t>(rounded), kind);
  if (seen_ != nullptr && queue == seen_queue_) seen_->push_back({block, bytes});
  return block;
}

void CachingAllocator::relabel(std::size_t bytes, MemoryKind from, MemoryKind to) noexcept {
  const auto rounded = static_cast<std::int64_t>(size_class(bytes));
  const std::scoped_lock lock(mutex_);
  report_.by_kind[static_cast<std::size_t>(from)] -= rounded;
  report_.by_kind[static_cast<std::size_t>(to)] += rounded;
}

void CachingAllocator::free(void* data, std::size_t bytes, MemoryKind kind, const void* queue) noexcept {
  const std::size_t rounded = size_class(bytes);
  const std::scoped_lock lock(mutex_);
  count(-static_cast<std::int64_t>(rounded), kind);
  try {
    if (cache_) {
      cached_[{queue, rounded}].push_back(data);
      return;
    }
  } catch (...) {  // no memory to remember the block: give it back instead
  }
  give_(data, rounded);
  report_.reserved -= static_cast<std::int64_t>(rounded);
}

void CachingAllocator::release_cached() {
  for (const auto& [key, blocks] : cached_)
    for (void* block : blocks) {
      give_(block, key.second);
      report_.reserved -= static_cast<std::int64_t>(key.second);
    }
  cached_.clear();
}

bool CachingAllocator::claim(std::span<const Block> blocks, MemoryKind kind, const void* queue) {
  const std::scoped_lock lock(mutex_);
  const auto cached = [&](const Block& block) -> std::vector<void*>& {
    return cached_[{queue, size_class(block.bytes)}];
  };
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    auto& row = cached(blocks[i]);
    const auto at = std::ranges::find(row, blocks[i].data);
    if (at == row.end()) {
      for (const auto& taken : blocks.first(i)) cached(taken).push_back(taken.data);
      return false;
    }
    row.erase(at);
  }
  for (const auto& block : blocks) count(static_cast<std::int64_t>(size_class(block.bytes)), kind);
  return true;
}

void CachingAllocator::unclaim(std::span<const Block> blocks, MemoryKind kind, const void* queue) noexcept {
  for (const auto& block : blocks) free(block.data, block.bytes, kind, queue);
}

void CachingAllocator::watch(std::vector<Block>* seen, const void* queue) {
  const std::scoped_lock lock(mutex_);
  seen_ = seen;
  seen_queue_ = queue;
}

void CachingAllocator::trim() {
  const std::scoped_lock lock(mutex_);
  release_cached();
}

MemoryReport CachingAllocator::report() const {
  const std::scoped_lock lock(mutex_);
  return report_;
}

void CachingAllocator::reset_peak() {
  const std::scoped_lock lock(mutex_);
  report_.peak = report_.in_use;
  report_.peak_by_kind = report_.by_kind;
}

}  // namespace strata
