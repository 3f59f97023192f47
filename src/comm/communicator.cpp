// SPDX-License-Identifier: Apache-2.0
#include "strata/comm/communicator.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "strata/base/error.hpp"

namespace strata::comm {

// Stands for a call of a batch: empty until the batch has ended. Belongs to the thread that opened the batch until
// then.
class Communicator::QueuedEvent final : public EventState {
 public:
  explicit QueuedEvent(std::string what) : what_(std::move(what)) {}

  void started(Event event) {
    event_ = std::move(event);
    started_ = true;
  }
  bool ready() override { return started_ && event_.ready(); }
  void wait() override {
    STRATA_CHECK(started_, usage, "batch",
                 fmt::format("waiting for '{}', which begins only when its batch ends", what_), "end the batch first");
    event_.wait();
  }
  std::vector<Event> parts() const override { return started_ ? std::vector{event_} : std::vector<Event>(); }

 private:
  std::string what_;
  bool started_ = false;
  Event event_;
};

Communicator::~Communicator() = default;

Event Communicator::submit(Call call) {
  check_call(call, rank(), size());
  for (const Tensor* tensor : {&call.input, &call.output}) {
    STRATA_CHECK(!tensor->defined() || serves(tensor->device()), usage, name_of(call.kind),
                 fmt::format("the {} transport does not take tensors on {}", transport(), tensor->device().str()));
  }
  if (writes_output(call, rank())) call.output.storage()->bump_version();
  call.number = next_number_++;
  if (open_batches_ == 0) return start(call);
  auto event = std::make_shared<QueuedEvent>(call.str());
  queued_.push_back({std::move(call), event});
  return Event(event);
}

std::vector<Event> Communicator::start_batch(std::span<const Call> calls) {
  std::vector<Event> events;
  for (const auto& call : calls) events.push_back(start(call));
  return events;
}

Event Communicator::end_batch() {
  const auto queued = std::exchange(queued_, {});
  std::vector<Call> calls;
  for (const auto& entry : queued) calls.push_back(entry.call);
  auto events = start_batch(calls);
  for (std::size_t i = 0; i < queued.size(); ++i) queued[i].event->started(events[i]);
  return all_of(std::move(events));
}

Batch::Batch(Communicator& communicator) : communicator_(&communicator), exceptions_(std::uncaught_exceptions()) {
  ++communicator.open_batches_;
}

Event Batch::end() {
  if (communicator_ == nullptr) return {};
  Communicator& communicator = *std::exchange(communicator_, nullptr);
  return --communicator.open_batches_ == 0 ? communicator.end_batch() : Event();
}

Batch::~Batch() noexcept(false) {
  if (communicator_ == nullptr) return;
  if (std::uncaught_exceptions() == exceptions_) {
    end();
    return;
  }
  --communicator_->open_batches_;
  communicator_->queued_.clear();
}

Event Communicator::all_reduce(const Tensor& in_out, Reduction reduction, const Stream& stream) {
  return all_reduce(in_out, in_out, reduction, stream);
}

Event Communicator::all_reduce(const Tensor& in, const Tensor& out, Reduction reduction, const Stream& stream) {
  return submit({.kind = CallKind::all_reduce, .input = in, .output = out, .reduction = reduction, .stream = stream});
}

Event Communicator::reduce(const Tensor& in_out, int root, Reduction reduction, const Stream& stream) {
  return submit({.kind = CallKind::reduce,
                 .input = in_out,
                 .output = in_out,
                 .reduction = reduction,
                 .peer = root,
                 .stream = stream});
}

Event Communicator::reduce_scatter(const Tensor& in, const Tensor& out, Reduction reduction, const Stream& stream,
                                   Counts counts) {
  return submit({.kind = CallKind::reduce_scatter,
                 .input = in,
                 .output = out,
                 .reduction = reduction,
                 .counts = std::move(counts),
                 .stream = stream});
}

Event Communicator::all_gather(const Tensor& in, const Tensor& out, const Stream& stream, Counts counts) {
  return submit(
      {.kind = CallKind::all_gather, .input = in, .output = out, .counts = std::move(counts), .stream = stream});
}

Event Communicator::broadcast(const Tensor& in_out, int root, const Stream& stream) {
  return submit({.kind = CallKind::broadcast, .input = in_out, .output = in_out, .peer = root, .stream = stream});
}

Event Communicator::all_to_all(const Tensor& in, Counts send_counts, const Tensor& out, Counts recv_counts,
                               const Stream& stream) {
  return submit({.kind = CallKind::all_to_all,
                 .input = in,
                 .output = out,
                 .counts = std::move(send_counts),
                 .recv_counts = std::move(recv_counts),
                 .stream = stream});
}

Event Communicator::send(const Tensor& in, int to, int tag, const Stream& stream) {
  return submit({.kind = CallKind::send, .input = in, .peer = to, .tag = tag, .stream = stream});
}

Event Communicator::recv(const Tensor& out, int from, int tag, const Stream& stream) {
  return submit({.kind = CallKind::recv, .output = out, .peer = from, .tag = tag, .stream = stream});
}

Event Communicator::barrier(const Stream& stream) { return submit({.kind = CallKind::barrier, .stream = stream}); }

namespace {

class AllOf final : public EventState {
 public:
  explicit AllOf(std::vector<Event> events) : events_(std::move(events)) {}
  bool ready() override {
    bool all = true;
    for (const auto& event : events_) all = event.ready() && all;  // asks each one: asking is what makes progress
    return all;
  }
  void wait() override {
    for (const auto& event : events_) event.wait();
  }
  std::vector<Event> parts() const override { return events_; }

 private:
  std::vector<Event> events_;
};

}  // namespace

Event all_of(std::vector<Event> events) {
  std::erase_if(events, [](const Event& event) { return event.state() == nullptr; });
  if (events.empty()) return {};
  return Event(std::make_shared<AllOf>(std::move(events)));
}

}  // namespace strata::comm
