// SPDX-License-Identifier: Apache-2.0
#include "strata/runtime/host_backend.hpp"

#include <cstdlib>
#include <cstring>

#include "strata/base/error.hpp"
#include "strata/runtime/caching_allocator.hpp"

namespace strata {
namespace {

void* take_host(std::size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); }
void give_host(void* data, std::size_t) { std::free(data); }

class HostBackend final : public Backend {
 public:
  HostBackend(std::string name, bool cache) : name_(std::move(name)), allocator_(take_host, give_host, cache) {}

  std::string_view name() const override { return name_; }
  Device device() const override { return {}; }
  MemoryReport memory() const override { return allocator_.report(); }
  void reset_peak() override { allocator_.reset_peak(); }
  void* allocate(std::size_t bytes, const Stream&, MemoryKind kind) override {
    return allocator_.allocate(bytes, kind);
  }
  void free(void* data, std::size_t bytes, const Stream&, MemoryKind kind) noexcept override {
    allocator_.free(data, bytes, kind);
  }
  void relabel(std::size_t bytes, MemoryKind from, MemoryKind to) noexcept override {
    allocator_.relabel(bytes, from, to);
  }

  void copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
            const Stream&) override {
    STRATA_CHECK(to_device == Device{} && from_device == Device{}, internal, name_,
                 "a host backend copies host memory only");
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

  Stream make_stream() override { return Stream(std::make_shared<StreamState>()); }
  Event record(const Stream&) override { return {}; }
  void wait(const Stream&, const Event& event) override { event.wait(); }
  void synchronise(const Stream&) override {}

 private:
  std::string name_;
  CachingAllocator allocator_;
};

}  // namespace

std::shared_ptr<Backend> make_host_backend(std::string name, bool cache) {
  return std::make_shared<HostBackend>(std::move(name), cache);
}

}  // namespace strata
