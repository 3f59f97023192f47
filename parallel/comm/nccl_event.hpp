// SPDX-License-Identifier: Apache-2.0
//
// A call on the communication stream: what must stay alive until the device is done with it, and how the host waits
// for it without missing an error of NCCL.
#pragma once

#include <mutex>
#include <string>

#include "parallel/comm/nccl_rank.hpp"
#include "strata/comm/call.hpp"

namespace strata::comm {

class NcclEvent final : public EventState {
 public:
  // `comm`: nullptr in a group of one. `what` names the call in errors.
  NcclEvent(std::shared_ptr<NcclRank> rank, ncclComm_t comm, std::string what, const Call& call, Event on_device);

  bool ready() override;
  void wait() override;
  std::vector<Event> parts() const override { return {on_device_}; }

  // By the communicator, on its own thread, since memory goes back to a backend that may be of one thread: whoever asks
  // from elsewhere (a watchdog) frees nothing. True, and the tensors are let go of, when the device is done; asks
  // nobody else, throws nothing.
  bool release_if_done() noexcept;
  void release() noexcept;

 private:
  std::shared_ptr<NcclRank> rank_;
  ncclComm_t comm_;
  std::string what_;
  Event on_device_;
  std::mutex mutex_;  // events are asked from any thread
  Tensor input_, output_;
  bool done_ = false;
};

}  // namespace strata::comm
