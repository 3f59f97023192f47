// SPDX-License-Identifier: Apache-2.0
//
// A group of ranks with devices. See nccl.hpp for what it promises.
#pragma once

#include <list>
#include <memory>
#include <vector>

#include "parallel/comm/nccl.hpp"
#include "parallel/comm/nccl_event.hpp"
#include "parallel/comm/nccl_rank.hpp"

namespace strata::comm {

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(std::shared_ptr<Communicator> carrier, std::shared_ptr<NcclRank> rank, const NcclOptions& options);
  ~NcclCommunicator() override;

  int rank() const override { return carrier_->rank(); }
  int size() const override { return carrier_->size(); }
  const std::string& name() const override { return carrier_->name(); }
  std::string_view transport() const override { return "nccl"; }
  bool serves(const Device& device) const override {
    return carrier_->serves(device) || device == rank_->backend().device();
  }
  std::unique_ptr<Communicator> split(int color, int key, std::string_view label) override;
  void will_reuse(const Tensor& buffer) override;
  void abort(std::string_view reason) override;
  const void* native_handle(std::string_view kind) const override { return carrier_->native_handle(kind); }

 protected:
  Event start(const Call& call) override { return start_batch({&call, 1}).front(); }
  std::vector<Event> start_batch(std::span<const Call> calls) override;

 private:
  struct Registered {
    Tensor buffer;
    void* handle;
  };
  using Places = std::vector<std::size_t>;  // of calls in a batch

  void start_on_host(std::span<const Call> calls, const Places& places, std::vector<Event>& events);
  void start_on_device(std::span<const Call> calls, const Places& places, std::vector<Event>& events);
  Event put_on_stream(std::span<const Call> calls, const Places& places);
  void group_calls(std::span<const Call> calls, const Places& places);
  std::string describe_call(const Call& call) const;
  void drain() noexcept;
  void deregister() noexcept;

  std::shared_ptr<Communicator> carrier_;
  std::shared_ptr<NcclRank> rank_;
  NcclOptions options_;
  ncclComm_t comm_ = nullptr;                        // in a group of one: none
  std::list<std::shared_ptr<NcclEvent>> in_flight_;  // also those whose event was dropped
  std::vector<Registered> registered_;
};

}  // namespace strata::comm
