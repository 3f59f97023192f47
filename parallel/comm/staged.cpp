// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/staged.hpp"

#include <cstdlib>
#include <exception>
#include <list>
#include <mutex>

#include "strata/base/error.hpp"
#include "strata/base/log.hpp"
#include "strata/runtime/caching_allocator.hpp"

namespace strata::comm {
namespace {

// What the groups of one rank share.
class Stage {
 public:
  Stage(std::shared_ptr<Backend> backend, const StagingMemory& memory)
      : backend_(std::move(backend)),
        back_(backend_->make_stream()),
        allocator_(
            [take = memory.take](std::size_t bytes) {
              return take ? take(bytes) : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
            },
            [give = memory.give](void* data, std::size_t) { give ? give(data) : std::free(data); }, true) {}

  const Backend& backend() const { return *backend_; }
  CachingAllocator& allocator() { return allocator_; }

  void bring(const Tensor& to, const Tensor& from, const Stream& stream) {
    if (from.bytes() > 0) backend_->copy(to.raw(), to.device(), from.raw(), from.device(), from.bytes(), stream);
    backend_->synchronise(stream);
  }
  void bring_back(const Tensor& to, const Tensor& from) { bring(to, from, back_); }

 private:
  std::shared_ptr<Backend> backend_;
  Stream back_;
  CachingAllocator allocator_;
};

class StageStorage final : public Storage {
 public:
  StageStorage(std::shared_ptr<Stage> stage, std::size_t bytes)
      : Storage(stage->allocator().allocate(bytes), bytes, Device{}), stage_(std::move(stage)) {}
  ~StageStorage() override { stage_->allocator().free(data(), bytes()); }

 private:
  std::shared_ptr<Stage> stage_;
};

class StagedEvent final : public EventState {
 public:
  // `on_device`: where the result belongs; undefined where there is none.
  StagedEvent(std::shared_ptr<Stage> stage, Event carried, Tensor on_device, Tensor on_host)
      : stage_(std::move(stage)),
        carried_(std::move(carried)),
        on_device_(std::move(on_device)),
        on_host_(std::move(on_host)) {}

  bool ready() override {
    if (!carried_.ready()) return false;
    finish();
    return true;
  }
  void wait() override {
    carried_.wait();
    finish();
  }
  // By the communicator, on its own thread, since memory goes back to a backend that may be of one thread: whoever asks
  // from elsewhere (a watchdog) frees nothing.
  void release() noexcept {
    const std::lock_guard lock(mutex_);
    on_device_ = on_host_ = {};
  }

 private:
  void finish() {
    const std::lock_guard lock(mutex_);
    if (!done_ && on_device_.defined()) stage_->bring_back(on_device_, on_host_);
    done_ = true;
  }

  std::shared_ptr<Stage> stage_;
  Event carried_;
  std::mutex mutex_;  // events are asked from any thread
  Tensor on_device_, on_host_;
  bool done_ = false;
};

class StagedCommunicator final : public Communicator {
 public:
  StagedCommunicator(std::shared_ptr<Communicator> carrier, std::shared_ptr<Stage> stage)
      : carrier_(std::move(carrier)), stage_(std::move(stage)) {}

  // Left by an exception the others may never come: nothing is waited for.
  ~StagedCommunicator() override {
    if (std::uncaught_exceptions() == 0) drain();
    for (const auto& event : in_flight_) event->release();
  }

  int rank() const override { return carrier_->rank(); }
  int size() const override { return carrier_->size(); }
  const std::string& name() const override { return carrier_->name(); }
  std::string_view transport() const override { return "staged"; }
  bool serves(const Device& device) const override {
    return carrier_->serves(device) || device == stage_->backend().device();
  }
  std::unique_ptr<Communicator> split(int color, int key, std::string_view label) override {
    auto child = carrier_->split(color, key, label);
    return child ? std::make_unique<StagedCommunicator>(std::move(child), stage_) : nullptr;
  }
  void abort(std::string_view reason) override { carrier_->abort(reason); }
  const void* native_handle(std::string_view kind) const override { return carrier_->native_handle(kind); }

 protected:
  Event start(const Call& call) override { return start_batch({&call, 1}).front(); }

  std::vector<Event> start_batch(std::span<const Call> calls) override {
    std::erase_if(in_flight_, [](const auto& event) { return over(*event); });
    std::vector<Call> mirrors;
    for (const auto& call : calls) mirrors.push_back(mirror(call));
    std::vector<Event> carried;
    Batch batch(*carrier_);
    for (const auto& call : mirrors) carried.push_back(carrier_->submit(call));
    batch.end();
    std::vector<Event> events;
    for (std::size_t i = 0; i < calls.size(); ++i) events.push_back(track(calls[i], mirrors[i], carried[i]));
    return events;
  }

 private:
  bool lies_on_device(const Tensor& tensor) const {
    return tensor.defined() && tensor.device() != Device{} && tensor.device() == stage_->backend().device();
  }

  // The same call on host memory. In place only where input and output are one: parts of a whole get memory apart.
  Call mirror(const Call& call) {
    Call host = call;
    host.stream = {};
    if (lies_on_device(call.input)) {
      host.input = host_like(call.input);
      const bool is_read = call.kind != CallKind::broadcast || call.peer == rank();
      if (is_read) stage_->bring(host.input, call.input, call.stream);
    }
    if (lies_on_device(call.output)) {
      const bool in_place = call.input.defined() && call.input.same_view(call.output);
      host.output = in_place ? host.input : host_like(call.output);
    }
    return host;
  }

  Tensor host_like(const Tensor& tensor) const {
    return Tensor(std::make_shared<StageStorage>(stage_, tensor.bytes()), tensor.dtype(), tensor.shape());
  }

  Event track(const Call& call, const Call& host, Event carried) {
    if (!lies_on_device(call.input) && !lies_on_device(call.output)) return carried;
    const bool comes_back = lies_on_device(call.output) && writes_output(call, rank());
    in_flight_.push_back(
        std::make_shared<StagedEvent>(stage_, std::move(carried), comes_back ? call.output : Tensor(), host.output));
    return Event(in_flight_.back());
  }

  static bool over(StagedEvent& event) {
    try {
      if (!event.ready()) return false;
    } catch (const std::exception&) {  // whoever waits for it gets the error
    }
    event.release();
    return true;
  }

  void drain() noexcept {
    for (const auto& event : in_flight_) {
      try {
        event->wait();
      } catch (const std::exception& error) {
        log(LogLevel::warning, "staged", error.what());
      }
    }
  }

  std::shared_ptr<Communicator> carrier_;
  std::shared_ptr<Stage> stage_;
  // Also those whose event was dropped: their results come back all the same.
  std::list<std::shared_ptr<StagedEvent>> in_flight_;
};

}  // namespace

std::unique_ptr<Communicator> make_staged(std::shared_ptr<Communicator> carrier, std::shared_ptr<Backend> backend,
                                          const StagingMemory& memory) {
  auto stage = std::make_shared<Stage>(std::move(backend), memory);
  return std::make_unique<StagedCommunicator>(std::move(carrier), std::move(stage));
}

}  // namespace strata::comm
