// SPDX-License-Identifier: Apache-2.0
//
// Narrow interface 1: what the engine asks of a device. No op appears here; ops are data (strata/ops) and their kernels
// stand in a table (kernel_table.hpp). Allocation is stream-ordered: freed memory may be handed out again at once to
// work that is queued later on the same stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "strata/runtime/stream.hpp"
#include "strata/tensor/tensor.hpp"

namespace strata {

// Bytes, rounded up as the allocator does. `reserved` is what was taken from the system, in use or cached; `peak` is
// the highest `in_use` since the last reset.
struct MemoryReport {
  std::int64_t in_use = 0;
  std::int64_t peak = 0;
  std::int64_t reserved = 0;
  std::int64_t allocations = 0;  // calls answered
  std::int64_t reused = 0;       // of those, answered without asking the system
  BytesByKind by_kind{};         // of `in_use`
  BytesByKind peak_by_kind{};    // of `peak`, at that moment
};

class Recorder;

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string_view name() const = 0;
  virtual Device device() const = 0;

  virtual MemoryReport memory() const = 0;
  virtual void reset_peak() = 0;
  // 64-byte aligned at least; out of memory: environment error that says how much was asked for and what is in use. 0
  // bytes: a valid unique pointer.
  virtual void* allocate(std::size_t bytes, const Stream& stream, MemoryKind kind) = 0;
  // `kind`: the block's last one.
  virtual void free(void* data, std::size_t bytes, const Stream& stream, MemoryKind kind) noexcept = 0;
  virtual void relabel(std::size_t bytes, MemoryKind from, MemoryKind to) noexcept = 0;
  // Dense bytes between any two devices of which this backend's is one; ordered on `stream`. From the host: the source
  // may be written again when this returns. To the host: there when the stream's work is done.
  virtual void copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
                    const Stream& stream) = 0;
  // Host bytes to this device without waiting for them: the source must stay as it is until the event. Page-locked
  // memory travels beside the work of other streams.
  virtual Event send(void* to, const void* from, std::size_t bytes, const Stream& stream) {
    copy(to, device(), from, Device{}, bytes, stream);
    return {};
  }

  virtual Stream make_stream(StreamPriority priority) = 0;
  Stream make_stream() { return make_stream(StreamPriority::normal); }
  virtual Event record(const Stream& stream) = 0;
  // Later work on the stream waits. An event of another kind, which has no parts of this backend's: the host waits.
  virtual void wait(const Stream& stream, const Event& event) = 0;
  virtual void synchronise(const Stream& stream) = 0;  // the host waits for all work on the stream

  // Where work can be recorded and launched again as a whole (recorder.hpp); null where it cannot.
  virtual Recorder* recorder() { return nullptr; }
};

}  // namespace strata
