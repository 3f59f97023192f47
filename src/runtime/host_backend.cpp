// SPDX-License-Identifier: Apache-2.0
#include "strata/runtime/host_backend.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "strata/base/error.hpp"
#include "strata/runtime/caching_allocator.hpp"

namespace strata {
namespace {

void* take_host(std::size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); }
void give_host(void* data, std::size_t) { std::free(data); }

// Blocks from this size on are mapped by themselves. Smaller ones are cleared, so that what a rehearsal reads without
// having computed it is the same each time.
constexpr std::size_t kMappedBytes = std::size_t{1} << 20;

void* take_untouched(std::size_t bytes) {
  if (bytes < kMappedBytes) {
    void* block = take_host(bytes);
    return block == nullptr ? nullptr : std::memset(block, 0, bytes);
  }
  void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return block == MAP_FAILED ? nullptr : block;
}

void give_untouched(void* data, std::size_t bytes) {
  if (bytes < kMappedBytes)
    std::free(data);
  else
    munmap(data, bytes);
}

// Reading a page that was never written costs no memory; writing it does.
void copy_what_differs(void* to, const void* from, std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  for (std::size_t at = 0; at < bytes; at += kPage) {
    const std::size_t n = std::min(kPage, bytes - at);
    auto* target = static_cast<std::byte*>(to) + at;
    const auto* source = static_cast<const std::byte*>(from) + at;
    if (std::memcmp(target, source, n) != 0) std::memcpy(target, source, n);
  }
}

class HostBackend final : public Backend {
 public:
  HostBackend(std::string name, HostMemory memory)
      : name_(std::move(name)),
        rehearsed_(memory == HostMemory::rehearsed),
        allocator_(rehearsed_ ? take_untouched : take_host, rehearsed_ ? give_untouched : give_host,
                   memory != HostMemory::returned) {}

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
    if (bytes == 0) return;
    if (rehearsed_)
      copy_what_differs(to, from, bytes);
    else
      std::memcpy(to, from, bytes);
  }

  using Backend::make_stream;
  Stream make_stream(StreamPriority) override { return Stream(std::make_shared<StreamState>()); }
  Event record(const Stream&) override { return {}; }
  void wait(const Stream&, const Event& event) override { event.wait(); }
  void synchronise(const Stream&) override {}

 private:
  std::string name_;
  bool rehearsed_;
  CachingAllocator allocator_;
};

}  // namespace

std::shared_ptr<Backend> make_host_backend(std::string name, HostMemory memory) {
  return std::make_shared<HostBackend>(std::move(name), memory);
}

}  // namespace strata
