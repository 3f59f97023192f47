// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/nccl_event.hpp"

#include "parallel/comm/poll.hpp"

namespace strata::comm {

NcclEvent::NcclEvent(std::shared_ptr<NcclRank> rank, ncclComm_t comm, std::string what, const Call& call,
                     Event on_device)
    : rank_(std::move(rank)),
      comm_(comm),
      what_(std::move(what)),
      on_device_(std::move(on_device)),
      input_(call.input),
      output_(call.output) {}

// A rank that was stopped is asked after the device, too: aborted kernels end as if they had done their work.
bool NcclEvent::ready() {
  const std::lock_guard lock(mutex_);
  if (done_) return true;
  rank_->check(what_);
  if (!on_device_.ready()) {
    rank_->ask(comm_, what_);
    return false;
  }
  rank_->check(what_);
  return done_ = true;
}

void NcclEvent::wait() {
  poll_until([this] { return ready(); });
}

bool NcclEvent::release_if_done() noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (!done_ && (rank_->stopped() || !on_device_.ready() || rank_->stopped())) return false;
    done_ = true;
  } catch (const std::exception&) {
    return false;  // whoever waits gets the error
  }
  release();
  return true;
}

void NcclEvent::release() noexcept {
  const std::lock_guard lock(mutex_);
  input_ = output_ = {};
}

}  // namespace strata::comm
