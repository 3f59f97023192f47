// SPDX-License-Identifier: Apache-2.0
//
// Whole scans in RAM by (set, study, scan), up to a limit. What comes first stays for good; nothing is ever replaced,
// so a hit is copied without holding the lock. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <tuple>

namespace strata::data {

struct ScanKey {
  std::int64_t set = 0, study = 0, scan = 0;
  auto operator<=>(const ScanKey&) const = default;
};

class ScanCache {
 public:
  ScanCache(std::int64_t limit, std::int64_t scan_bytes);

  bool enabled() const { return most_scans_ > 0; }
  bool copy(const ScanKey& key, std::span<std::byte> into) const;  // false: not here
  void offer(const ScanKey& key, std::span<const std::byte> scan);
  std::int64_t bytes() const;

 private:
  const std::int64_t scan_bytes_, most_scans_;
  mutable std::mutex mutex_;
  std::int64_t reserved_ = 0;
  std::map<ScanKey, std::unique_ptr<std::byte[]>> scans_;
};

}  // namespace strata::data
