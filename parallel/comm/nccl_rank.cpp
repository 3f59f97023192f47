// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/nccl_rank.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include "parallel/comm/nccl_check.hpp"
#include "parallel/comm/poll.hpp"
#include "strata/base/log.hpp"

namespace strata::comm {

NcclRank::NcclRank(std::shared_ptr<Backend> backend)
    : backend_(std::move(backend)), stream_(backend_->make_stream(StreamPriority::high)) {
  native_ = static_cast<cudaStream_t>(stream_.state()->native("cudaStream_t"));
  STRATA_CHECK(native_ != nullptr, usage, "nccl",
               fmt::format("the {} backend has no CUDA stream to offer", backend_->name()));
}

void NcclRank::use_device() const { STRATA_NCCL_CUDA(cudaSetDevice(backend_->device().index)); }

ncclResult_t NcclRank::state_of(ncclComm_t comm) const {
  ncclResult_t state = ncclSuccess;
  const ncclResult_t code = ncclCommGetAsyncError(comm, &state);
  return code == ncclSuccess ? state : code;
}

ncclComm_t NcclRank::open(const ncclUniqueId& id, int size, int rank, std::chrono::milliseconds deadline) {
  use_device();
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  ncclComm_t comm = nullptr;
  ncclResult_t state = ncclCommInitRankConfig(&comm, size, id, rank, &config);
  const auto settled = [&] {
    if (state == ncclInProgress) state = state_of(comm);
    return state != ncclInProgress || stopped_;
  };
  const bool in_time = poll_until(settled, deadline);
  if (state == ncclSuccess) {
    open_.insert(comm);
    return comm;
  }
  const std::string why = state != ncclInProgress ? describe(state)
                          : in_time               ? "it was stopped"
                                                  : fmt::format("not all ranks came within {} ms", deadline.count());
  if (comm != nullptr) ncclCommAbort(comm);
  fail(ErrorKind::environment, "nccl", fmt::format("rank {} of {} cannot connect to the others: {}", rank, size, why),
       "NCCL_DEBUG=INFO in the environment shows how far it came; comm.transport=staged works without NCCL");
}

void NcclRank::settle(ncclComm_t comm, std::string_view call) {
  ncclResult_t state = ncclInProgress;
  poll_until([&] {
    state = state_of(comm);
    return state != ncclInProgress || stopped_;
  });
  check(call);
  STRATA_CHECK(state == ncclSuccess, communication, "nccl", fmt::format("{}: {}", call, describe(state)),
               "NCCL_DEBUG=WARN in the environment makes NCCL say more");
}

// Ranks finalize for themselves: nobody is waited for but this rank's own work.
void NcclRank::close(ncclComm_t comm) noexcept {
  if (open_.erase(comm) == 0) return;  // ended already
  try {
    use_device();
    check_nccl(ncclCommFinalize(comm), "ncclCommFinalize");
    settle(comm, "ncclCommFinalize");
    check_nccl(ncclCommDestroy(comm), "ncclCommDestroy");
  } catch (const std::exception& error) {
    log(LogLevel::warning, "nccl", error.what());
    ncclCommAbort(comm);
  }
}

void NcclRank::stop(const std::string& reason) {
  const std::lock_guard lock(reason_mutex_);
  if (!stopped_) reason_ = reason;
  stopped_ = true;
}

void NcclRank::check(std::string_view call) const {
  if (!stopped_) [[likely]]
    return;
  const std::lock_guard lock(reason_mutex_);
  fail(ErrorKind::communication, "nccl", fmt::format("{} was given up: {}", call, reason_));
}

// In one group, so that all are told before any frees its memory: that waits for the device, where a kernel of another
// may hang.
void NcclRank::abort_all() noexcept {
  if (open_.empty()) return;
  ncclGroupStart();
  for (const ncclComm_t comm : open_) ncclCommAbort(comm);
  ncclGroupEnd();
  open_.clear();
}

void NcclRank::break_down(const std::string& reason) noexcept {
  stop(reason);
  abort_all();
}

void NcclRank::end_work() noexcept {
  const std::lock_guard lock(mutex_);
  abort_all();
}

void NcclRank::ask(ncclComm_t comm, std::string_view call) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || !open_.contains(comm)) return;
  const ncclResult_t state = state_of(comm);
  if (state == ncclSuccess || state == ncclInProgress) return;
  const std::string reason = fmt::format("NCCL reports {}, found while {} was waited for", describe(state), call);
  break_down(reason);
  check(call);
}

}  // namespace strata::comm
