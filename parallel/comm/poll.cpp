// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/poll.hpp"

#include <thread>

namespace strata::comm {

bool poll_until(const std::function<bool()>& done, std::chrono::milliseconds deadline) {
  constexpr int kEager = 100;  // then sleep: a sleeper gets a busy core back at once, one that gives way waits its turn
  const auto begin = std::chrono::steady_clock::now();
  for (int spins = 0; !done(); ++spins) {
    if (spins < kEager) {
      std::this_thread::yield();
      continue;
    }
    if (deadline.count() > 0 && std::chrono::steady_clock::now() - begin > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  return true;
}

}  // namespace strata::comm
