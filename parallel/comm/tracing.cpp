// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/tracing.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "parallel/comm/strings.hpp"
#include "parallel/comm/wrapper.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

class TracingCommunicator final : public Wrapper {
 public:
  TracingCommunicator(std::shared_ptr<Communicator> communicator, std::shared_ptr<Trace> trace)
      : Wrapper(std::move(communicator)), trace_(std::move(trace)) {}

 protected:
  std::unique_ptr<Communicator> wrap(std::unique_ptr<Communicator> child) override {
    return make_tracing(std::move(child), trace_);
  }

  Event start(const Call& call) override {
    record(call);
    return Wrapper::start(call);
  }
  std::vector<Event> start_batch(std::span<const Call> calls) override {
    for (const auto& call : calls) record(call);
    return Wrapper::start_batch(calls);
  }

 private:
  void record(const Call& call) { trace_->record({name(), call.number, call.kind, agreement(call), call.bytes()}); }

  std::shared_ptr<Trace> trace_;
};

}  // namespace

void Trace::record(TraceEntry entry) {
  const std::lock_guard lock(mutex_);
  entries_.push_back(std::move(entry));
}

std::vector<TraceEntry> Trace::entries() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

std::vector<std::string> Trace::collectives(std::string_view group) const {
  std::vector<std::string> calls;
  for (const auto& entry : entries()) {
    if (entry.group == group && is_collective(entry.kind)) calls.push_back(entry.call);
  }
  return calls;
}

std::int64_t Trace::bytes() const {
  std::int64_t sum = 0;
  for (const auto& entry : entries()) sum += entry.bytes;
  return sum;
}

std::string Trace::str() const {
  std::string text;
  for (const auto& entry : entries())
    text += fmt::format("{} {} {} {} bytes\n", entry.group, entry.number, entry.call, entry.bytes);
  return text;
}

std::unique_ptr<Communicator> make_tracing(std::shared_ptr<Communicator> inner, std::shared_ptr<Trace> trace) {
  return std::make_unique<TracingCommunicator>(std::move(inner), std::move(trace));
}

void expect_same_sequence(Communicator& communicator, const Trace& trace, std::string_view group) {
  const auto calls = trace.collectives(group);
  auto most = static_cast<std::int64_t>(calls.size());
  communicator.all_reduce(Tensor::borrow(&most, DType::i64, {1}), Reduction::max).wait();
  for (std::size_t i = 0; i < static_cast<std::size_t>(most); ++i) {
    const auto wrong = differing_texts(gather_texts(communicator, i < calls.size() ? calls[i] : "nothing"));
    STRATA_CHECK(wrong.empty(), communication, "tracing",
                 fmt::format("collective {} of group '{}' differs: {}", i, group, wrong));
  }
}

}  // namespace strata::comm
