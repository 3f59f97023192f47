// SPDX-License-Identifier: Apache-2.0
//
// What all wrappers share: a communicator that passes everything on to another one. A wrapper overrides `start` and
// says how to wrap the groups that come from a split.
#pragma once

#include <memory>

#include "strata/comm/communicator.hpp"

namespace strata::comm {

// A handle to a communicator that somebody else owns and keeps alive.
inline std::shared_ptr<Communicator> borrowed(Communicator& communicator) {
  return {std::shared_ptr<void>(), &communicator};
}

class Wrapper : public Communicator {
 public:
  explicit Wrapper(std::shared_ptr<Communicator> inner) : inner_(std::move(inner)) {}

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  const std::string& name() const override { return inner_->name(); }
  std::string_view transport() const override { return inner_->transport(); }
  bool serves(const Device& device) const override { return inner_->serves(device); }
  void will_reuse(const Tensor& buffer) override { inner_->will_reuse(buffer); }
  void abort(std::string_view reason) override { inner_->abort(reason); }
  const void* native_handle(std::string_view kind) const override { return inner_->native_handle(kind); }

  std::unique_ptr<Communicator> split(int color, int key, std::string_view label) override {
    auto child = inner_->split(color, key, label);
    return child ? wrap(std::move(child)) : nullptr;
  }

 protected:
  virtual std::unique_ptr<Communicator> wrap(std::unique_ptr<Communicator> child) = 0;

  Event start(const Call& call) override { return inner_->submit(call); }

  std::vector<Event> start_batch(std::span<const Call> calls) override {
    std::vector<Event> events;
    Batch batch(*inner_);
    for (const auto& call : calls) events.push_back(inner_->submit(call));
    batch.end();
    return events;
  }

  Communicator& inner() { return *inner_; }

 private:
  std::shared_ptr<Communicator> inner_;
};

}  // namespace strata::comm
