// SPDX-License-Identifier: Apache-2.0
//
// What kernels of this backend find behind their context: the thread count, the instruction set, oneDNN's primitives
// made so far. Memory and streams are those of every host backend.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <tuple>

#include "backends/cpu/cpu.hpp"
#include "backends/cpu/simd/isa.hpp"
#include "strata/runtime/context.hpp"
#include "strata/runtime/host_backend.hpp"

namespace strata::cpu {

class MatmulCache;    // onednn.hpp
class PackedWeights;  // packed_weights.hpp

// What one thread takes and gives back while it works on a chunk. Of a rehearsal, which has one thread.
class ScratchMeter {
 public:
  using Key = std::tuple<std::uintptr_t, std::int64_t, std::int64_t>;  // code, items, items a chunk

  bool running() const { return running_; }
  void took(std::size_t bytes) { most_ = std::max(most_, now_ += running_ ? bytes : 0); }
  void gave(std::size_t bytes) { now_ -= running_ ? std::min(now_, bytes) : 0; }

  // The most bytes that `run` held at once, remembered under `key`.
  template <class Run>
  std::size_t measured(const Key& key, const Run& run) {
    const auto known = known_.find(key);
    if (known != known_.end()) return known->second;
    running_ = true;
    now_ = most_ = 0;
    try {
      run();
    } catch (...) {
      running_ = false;
      throw;
    }
    running_ = false;
    return known_[key] = most_;
  }

 private:
  bool running_ = false;
  std::size_t now_ = 0, most_ = 0;
  std::map<Key, std::size_t> known_;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, CpuIsa isa, HostMemory memory);
  ~CpuBackend() override;

  int threads() const { return threads_; }
  CpuIsa isa() const { return isa_; }
  bool rehearsal() const { return rehearsal_; }  // kernels allocate what they need and leave the work undone
  ScratchMeter& meter() const { return meter_; }
  MatmulCache& matmuls() const { return *matmuls_; }
  PackedWeights& weights() const { return *weights_; }

  std::string_view name() const override { return "cpu"; }
  Device device() const override { return host_->device(); }
  MemoryReport memory() const override { return host_->memory(); }
  void reset_peak() override { host_->reset_peak(); }
  void* allocate(std::size_t bytes, const Stream& stream, MemoryKind kind) override {
    if (rehearsal_) meter_.took(bytes);
    return host_->allocate(bytes, stream, kind);
  }
  void free(void* data, std::size_t bytes, const Stream& stream, MemoryKind kind) noexcept override {
    if (rehearsal_) meter_.gave(bytes);
    host_->free(data, bytes, stream, kind);
  }
  void relabel(std::size_t bytes, MemoryKind from, MemoryKind to) noexcept override { host_->relabel(bytes, from, to); }
  void copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
            const Stream& stream) override {
    host_->copy(to, to_device, from, from_device, bytes, stream);
  }
  using Backend::make_stream;
  Stream make_stream(StreamPriority priority) override { return host_->make_stream(priority); }
  Event record(const Stream& stream) override { return host_->record(stream); }
  void wait(const Stream& stream, const Event& event) override { host_->wait(stream, event); }
  void synchronise(const Stream& stream) override { host_->synchronise(stream); }

 private:
  std::shared_ptr<Backend> host_;
  int threads_;
  CpuIsa isa_;
  bool rehearsal_;
  mutable ScratchMeter meter_;
  std::unique_ptr<MatmulCache> matmuls_;
  std::unique_ptr<PackedWeights> weights_;  // after the two that it uses
};

const CpuBackend& cpu_backend(const Backend& backend);  // internal error when it is another backend
inline const CpuBackend& cpu_backend(const Context& ctx) { return cpu_backend(ctx.backend()); }

// The kernels of the backend's instruction set: const auto& kernels = simd(ctx, softmax_simd).
template <class Kernels>
const Kernels& simd(const Context& ctx, const PerIsa<Kernels>& kernels) {
  return *kernels[static_cast<std::size_t>(cpu_backend(ctx).isa())];
}

}  // namespace strata::cpu
