// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/nccl_communicator.hpp"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "parallel/comm/nccl_calls.hpp"
#include "parallel/comm/nccl_check.hpp"
#include "parallel/comm/nccl_devices.hpp"
#include "strata/base/log.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/together.hpp"

namespace strata::comm {
namespace {

ncclUniqueId share_id(Communicator& carrier) {
  ncclUniqueId id{};
  together(carrier, [&] {
    if (carrier.rank() != 0) return;
    const ncclResult_t code = ncclGetUniqueId(&id);
    STRATA_CHECK(code == ncclSuccess, environment, "nccl", fmt::format("ncclGetUniqueId failed: {}", describe(code)),
                 "NCCL_SOCKET_IFNAME names the network interface to use");
  });
  const std::string bytes = broadcast_text(carrier, std::string(id.internal, sizeof id.internal));
  std::memcpy(id.internal, bytes.data(), sizeof id.internal);
  return id;
}

// An open ncclGroupStart that is left by an exception must be ended, or the thread's next calls would join it.
class Group {
 public:
  Group() { STRATA_NCCL(ncclGroupStart()); }
  ~Group() {
    if (open_) ncclGroupEnd();
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  void end() {
    open_ = false;
    STRATA_NCCL(ncclGroupEnd());
  }

 private:
  bool open_ = true;
};

}  // namespace

NcclCommunicator::NcclCommunicator(std::shared_ptr<Communicator> carrier, std::shared_ptr<NcclRank> rank,
                                   const NcclOptions& options)
    : carrier_(std::move(carrier)), rank_(std::move(rank)), options_(options) {
  if (size() == 1) return;
  const ncclUniqueId id = share_id(*carrier_);
  const auto connect = [&] {
    const std::lock_guard lock(rank_->mutex());
    comm_ = rank_->open(id, size(), this->rank(), options_.creation);
  };
  try {
    together(*carrier_, connect);
  } catch (...) {
    const std::lock_guard lock(rank_->mutex());
    if (comm_ != nullptr) rank_->close(comm_);
    throw;
  }
}

// Left by an exception the other ranks may never come: what waits for them on the device would keep the rank here.
NcclCommunicator::~NcclCommunicator() {
  const bool leaving = std::uncaught_exceptions() > 0;
  const bool idle = std::ranges::all_of(in_flight_, [](const auto& event) { return event->release_if_done(); });
  if (!leaving && !rank_->stopped()) drain();
  const std::lock_guard lock(rank_->mutex());
  if (leaving && !idle) rank_->break_down(fmt::format("group '{}' was left by an exception", name()));
  if (comm_ != nullptr && rank_->is_open(comm_)) {
    deregister();
    rank_->close(comm_);
  }
  for (const auto& event : in_flight_) event->release();  // nothing of it is on the device any more
}

void NcclCommunicator::drain() noexcept {
  for (const auto& event : in_flight_) {
    try {
      event->wait();
    } catch (const std::exception& error) {
      log(LogLevel::warning, "nccl", error.what());
    }
  }
}

void NcclCommunicator::deregister() noexcept {
  for (const auto& [buffer, handle] : registered_)
    if (handle != nullptr) ncclCommDeregister(comm_, handle);
  registered_.clear();
}

// Memory that the device's allocator gave is registered as it is; where NCCL cannot use that, calls copy as ever.
void NcclCommunicator::will_reuse(const Tensor& buffer) {
  if (comm_ == nullptr || buffer.device() != rank_->backend().device() || buffer.bytes() == 0) return;
  const auto same = [&](const Registered& other) { return other.buffer.same_view(buffer); };
  if (std::ranges::any_of(registered_, same)) return;
  const std::lock_guard lock(rank_->mutex());
  rank_->check("registering a buffer");
  rank_->use_device();
  void* handle = nullptr;
  const ncclResult_t code = ncclCommRegister(comm_, buffer.raw(), buffer.bytes(), &handle);
  if (code == ncclSuccess)
    registered_.push_back({buffer, handle});
  else
    log(LogLevel::info, "nccl", fmt::format("{} bytes are not registered: {}", buffer.bytes(), describe(code)));
}

// A new id, carried by the group's own host communicator: groups share nothing that one could block for the others.
std::unique_ptr<Communicator> NcclCommunicator::split(int color, int key, std::string_view label) {
  auto child = carrier_->split(color, key, label);
  return child ? std::make_unique<NcclCommunicator>(std::move(child), rank_, options_) : nullptr;
}

// The carrier first: over MPI it ends the process, whatever NCCL is at.
void NcclCommunicator::abort(std::string_view reason) {
  rank_->stop(fmt::format("rank {} of '{}' aborted: {}", rank(), name(), reason));
  carrier_->abort(reason);
  rank_->end_work();
}

std::vector<Event> NcclCommunicator::start_batch(std::span<const Call> calls) {
  Places host, device;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Tensor& any = calls[i].input.defined() ? calls[i].input : calls[i].output;
    const bool on_device = any.defined() && any.device() == rank_->backend().device();
    if (on_device) check_nccl_can(calls[i], rank());
    (on_device ? device : host).push_back(i);
  }
  std::vector<Event> events(calls.size());
  if (!host.empty()) start_on_host(calls, host, events);
  if (!device.empty()) start_on_device(calls, device, events);
  return events;
}

void NcclCommunicator::start_on_host(std::span<const Call> calls, const Places& places, std::vector<Event>& events) {
  if (places.size() == 1) {
    events[places.front()] = carrier_->submit(calls[places.front()]);
    return;
  }
  Batch batch(*carrier_);
  for (const std::size_t i : places) events[i] = carrier_->submit(calls[i]);
  batch.end();
}

void NcclCommunicator::start_on_device(std::span<const Call> calls, const Places& places, std::vector<Event>& events) {
  std::erase_if(in_flight_, [](const auto& event) { return event->release_if_done(); });
  const Event done = put_on_stream(calls, places);
  for (const std::size_t i : places) {
    in_flight_.push_back(std::make_shared<NcclEvent>(rank_, comm_, describe_call(calls[i]), calls[i], done));
    events[i] = Event(in_flight_.back());
  }
}

// A call that fails half-way leaves the ranks out of step: the rank breaks down.
Event NcclCommunicator::put_on_stream(std::span<const Call> calls, const Places& places) {
  const std::lock_guard lock(rank_->mutex());
  rank_->check(describe_call(calls[places.front()]));
  Backend& backend = rank_->backend();
  for (const std::size_t i : places) backend.wait(rank_->stream(), backend.record(calls[i].stream));
  try {
    group_calls(calls, places);
    return backend.record(rank_->stream());
  } catch (const Error& error) {
    rank_->break_down(error.message());
    throw;
  }
}

void NcclCommunicator::group_calls(std::span<const Call> calls, const Places& places) {
  const NcclTarget target{comm_, rank(), size(), rank_->backend(), rank_->stream(), rank_->native_stream()};
  rank_->use_device();
  if (comm_ == nullptr) {
    for (const std::size_t i : places) issue(calls[i], target);
    return;
  }
  Group group;
  for (const std::size_t i : places) issue(calls[i], target);
  group.end();
  rank_->settle(comm_, describe_call(calls[places.front()]));
}

std::string NcclCommunicator::describe_call(const Call& call) const {
  return fmt::format("{} (call {} of group '{}', rank {} of {}, {} bytes)", call.str(), call.number, name(), rank(),
                     size(), call.bytes());
}

bool nccl_is_built() { return true; }

std::string nccl_description() {
  int version = 0;
  if (ncclGetVersion(&version) != ncclSuccess) return "NCCL of an unknown version";
  return fmt::format("NCCL {}.{}.{}, on devices", version / 10000, version / 100 % 100, version % 100);
}

std::unique_ptr<Communicator> make_nccl(std::shared_ptr<Communicator> carrier, std::shared_ptr<Backend> backend,
                                        const NcclOptions& options) {
  STRATA_CHECK(backend->device().kind == DeviceKind::cuda, usage, "nccl",
               fmt::format("the {} backend computes on {}", backend->name(), backend->device().str()),
               "NCCL serves the cuda backend");
  prepare_devices(*carrier, backend->device().index);
  auto rank = std::make_shared<NcclRank>(std::move(backend));
  return std::make_unique<NcclCommunicator>(std::move(carrier), std::move(rank), options);
}

}  // namespace strata::comm
