// SPDX-License-Identifier: Apache-2.0
//
// Recording by stream capture: what the default stream is given becomes a CUDA graph. Capture is relaxed, since kernels
// may take memory from the device meanwhile; waiting for the stream is an error until it ends.
#pragma once

#include <cuda_runtime_api.h>

#include <memory>
#include <vector>

#include "strata/runtime/recorder.hpp"

namespace strata::cuda {

class CudaRecorder final : public Recorder {
 public:
  // Both outlive it.
  CudaRecorder(cudaStream_t stream, CachingAllocator& allocator) : stream_(stream), allocator_(allocator) {}

  bool is_recording(cudaStream_t stream) const { return recording_ != nullptr && stream == stream_; }

  void begin() override;
  std::shared_ptr<RecordedWork> end() override;
  void launch(RecordedWork& work) override;
  void* copy_from_slot(void* to, std::size_t bytes) override;
  void watch(std::vector<Block>* seen) override { allocator_.watch(seen, stream_); }
  bool claim(std::span<const Block> blocks, MemoryKind kind) override {
    return allocator_.claim(blocks, kind, stream_);
  }
  void unclaim(std::span<const Block> blocks, MemoryKind kind) noexcept override {
    allocator_.unclaim(blocks, kind, stream_);
  }

 private:
  class Work;
  cudaStream_t stream_;
  CachingAllocator& allocator_;
  std::shared_ptr<Work> recording_;
};

}  // namespace strata::cuda
