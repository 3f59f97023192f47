// SPDX-License-Identifier: Apache-2.0
//
// Open files by shard, at most so many: the one used longest ago is let go (who still holds it keeps it open).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace strata::io {

template <class Opened>
class Recent {
 public:
  Recent(std::int64_t limit, std::function<std::shared_ptr<Opened>(std::int64_t shard)> open)
      : limit_(limit), open_(std::move(open)) {}

  // Any thread. Opening happens under the lock: a file is not opened twice.
  std::shared_ptr<Opened> get(std::int64_t shard) {
    const std::lock_guard lock(mutex_);
    ++now_;
    const auto at = opened_.find(shard);
    if (at != opened_.end()) {
      at->second.used = now_;
      return at->second.opened;
    }
    if (static_cast<std::int64_t>(opened_.size()) >= limit_) forget_oldest();
    return opened_.emplace(shard, Entry{open_(shard), now_}).first->second.opened;
  }

 private:
  struct Entry {
    std::shared_ptr<Opened> opened;
    std::uint64_t used;
  };
  void forget_oldest() {
    auto oldest = opened_.begin();
    for (auto at = opened_.begin(); at != opened_.end(); ++at)
      if (at->second.used < oldest->second.used) oldest = at;
    opened_.erase(oldest);
  }

  std::int64_t limit_;
  std::function<std::shared_ptr<Opened>(std::int64_t)> open_;
  std::mutex mutex_;
  std::uint64_t now_ = 0;
  std::map<std::int64_t, Entry> opened_;
};

}  // namespace strata::io
