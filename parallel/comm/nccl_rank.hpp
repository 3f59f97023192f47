// SPDX-License-Identifier: Apache-2.0
//
// What all NCCL groups of one rank share: the device, the one communication stream, the lock under which calls are put
// on it, and the end of it all: one group that fails takes the others with it, since their work stands on the same
// stream.
//
// Communicators are made non-blocking, so that no thread is ever caught inside NCCL: a call that waits for other ranks
// says "in progress", and is asked here until it is over or the rank is stopped.
#pragma once

#include <nccl.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "strata/runtime/backend.hpp"

namespace strata::comm {

class NcclRank {
 public:
  explicit NcclRank(std::shared_ptr<Backend> backend);

  Backend& backend() { return *backend_; }
  const Stream& stream() const { return stream_; }
  cudaStream_t native_stream() const { return native_; }
  std::mutex& mutex() { return mutex_; }
  void use_device() const;  // becomes the calling thread's

  // With the mutex held.
  // Environment error when it does not connect within the deadline.
  ncclComm_t open(const ncclUniqueId& id, int size, int rank, std::chrono::milliseconds deadline);
  void settle(ncclComm_t comm, std::string_view call);  // until it is no longer in progress; throws its error
  void close(ncclComm_t comm) noexcept;                 // of which no call is on its way
  void break_down(const std::string& reason) noexcept;  // stop, and end NCCL's work on the device
  bool is_open(ncclComm_t comm) const { return open_.contains(comm); }

  // From any thread.
  void stop(const std::string& reason);  // waits throw from now on
  void end_work() noexcept;              // NCCL's kernels leave the device: streams come free
  bool stopped() const { return stopped_; }
  void check(std::string_view call) const;  // communication error where the rank was stopped
  // An asynchronous error of NCCL breaks the rank down. Asks nothing while another thread is putting a call on the
  // stream.
  void ask(ncclComm_t comm, std::string_view call);

 private:
  ncclResult_t state_of(ncclComm_t comm) const;
  void abort_all() noexcept;

  std::shared_ptr<Backend> backend_;
  Stream stream_;
  cudaStream_t native_ = nullptr;
  std::mutex mutex_;
  std::set<ncclComm_t> open_;
  std::atomic<bool> stopped_{false};
  mutable std::mutex reason_mutex_;
  std::string reason_;
};

}  // namespace strata::comm
