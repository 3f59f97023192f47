// SPDX-License-Identifier: Apache-2.0
#include "parallel/comm/local.hpp"

#include <fmt/format.h>

#include "parallel/comm/host_collectives.hpp"
#include "strata/base/error.hpp"

namespace strata::comm {
namespace {

class LocalCommunicator final : public Communicator {
 public:
  LocalCommunicator(std::shared_ptr<Backend> backend, std::string name)
      : backend_(std::move(backend)), name_(std::move(name)) {}

  int rank() const override { return 0; }
  int size() const override { return 1; }
  const std::string& name() const override { return name_; }
  std::string_view transport() const override { return "local"; }
  bool serves(const Device& device) const override {
    return device == Device{} || (backend_ && device == backend_->device());
  }

  std::unique_ptr<Communicator> split(int color, int, std::string_view label) override {
    if (color < 0) return nullptr;
    return make_local(backend_, fmt::format("{}/{}.{}", name_, label, color));
  }

  // Nobody else is to be told; the caller goes on to report the reason.
  void abort(std::string_view) override {}
  const void* native_handle(std::string_view) const override { return nullptr; }

 protected:
  Event start(const Call& call) override {
    const bool in_place = call.kind == CallKind::barrier || call.input.raw() == call.output.raw();
    if (!in_place && call.input.bytes() > 0) copy(call);
    return backend_ ? backend_->record(call.stream) : Event();
  }

 private:
  void copy(const Call& call) {
    if (backend_ && (call.output.device() != Device{} || call.input.device() != Device{})) {
      backend_->copy(call.output.raw(), call.output.device(), call.input.raw(), call.input.device(), call.input.bytes(),
                     call.stream);
    } else {
      copy_on_host(call.output, call.input);
    }
  }

  std::shared_ptr<Backend> backend_;
  std::string name_;
};

}  // namespace

std::unique_ptr<Communicator> make_local(std::shared_ptr<Backend> backend, std::string name) {
  return std::make_unique<LocalCommunicator>(std::move(backend), std::move(name));
}

}  // namespace strata::comm
