// SPDX-License-Identifier: Apache-2.0
#include "data/scan_cache.hpp"

#include <cstring>

namespace strata::data {

ScanCache::ScanCache(std::int64_t limit, std::int64_t scan_bytes)
    : scan_bytes_(scan_bytes), most_scans_(limit / scan_bytes) {}

bool ScanCache::copy(const ScanKey& key, std::span<std::byte> into) const {
  const std::byte* scan = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto found = scans_.find(key);
    if (found == scans_.end()) return false;
    scan = found->second.get();
  }
  std::memcpy(into.data(), scan, into.size());
  return true;
}

void ScanCache::offer(const ScanKey& key, std::span<const std::byte> scan) {
  {
    const std::lock_guard lock(mutex_);
    if (reserved_ >= most_scans_ || scans_.contains(key)) return;
    ++reserved_;
  }
  auto copy = std::make_unique_for_overwrite<std::byte[]>(scan.size());
  std::memcpy(copy.get(), scan.data(), scan.size());
  const std::lock_guard lock(mutex_);
  if (!scans_.emplace(key, std::move(copy)).second) --reserved_;  // another thread read the same scan meanwhile
}

std::int64_t ScanCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::int64_t>(scans_.size()) * scan_bytes_;
}

}  // namespace strata::data
