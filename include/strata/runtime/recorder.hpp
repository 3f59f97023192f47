// SPDX-License-Identifier: Apache-2.0
//
// What a device may offer beside its Backend: work put on the default stream is written down instead of done, and
// launched as one piece, as often as wanted (CUDA: stream capture and graphs). Only addresses are written down: the
// memory they point to must be the same at each launch, so blocks can be claimed. For step_graphs.hpp alone.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "strata/runtime/caching_allocator.hpp"

namespace strata {

class RecordedWork {
 public:
  virtual ~RecordedWork() = default;
};

class Recorder {
 public:
  virtual ~Recorder() = default;

  virtual void begin() = 0;
  // An error of the device where something cannot be recorded: nothing was done then, and nothing is being recorded.
  virtual std::shared_ptr<RecordedWork> end() = 0;
  virtual void launch(RecordedWork& work) = 0;
  // While recording: a copy to the device from host memory that lives as long as the work, which is returned; what
  // stands there when the work is launched is what arrives.
  virtual void* copy_from_slot(void* to, std::size_t bytes) = 0;

  // Of the default stream's blocks (caching_allocator.hpp).
  virtual void watch(std::vector<Block>* seen) = 0;
  virtual bool claim(std::span<const Block> blocks, MemoryKind kind) = 0;
  virtual void unclaim(std::span<const Block> blocks, MemoryKind kind) noexcept = 0;
};

}  // namespace strata
