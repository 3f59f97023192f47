// SPDX-License-Identifier: Apache-2.0
//
// What kernels of this backend find behind their context: the device, its streams, handles of the libraries. Memory is
// cached by stream: a block that was freed on a stream serves that stream again at once, another one only after it went
// back to the device.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <memory>
#include <mutex>
#include <vector>

#include "backends/cuda/faults.hpp"
#include "backends/cuda/product_choices.hpp"
#include "backends/cuda/recorder.hpp"
#include "strata/runtime/caching_allocator.hpp"
#include "strata/runtime/context.hpp"

namespace strata::cuda {

class AttentionPlans;

class CudaBackend final : public Backend {
 public:
  CudaBackend(int device, bool exact);
  ~CudaBackend() override;

  std::string_view name() const override { return "cuda"; }
  Device device() const override { return {DeviceKind::cuda, device_}; }

  MemoryReport memory() const override { return allocator_->report(); }
  void reset_peak() override { allocator_->reset_peak(); }
  void* allocate(std::size_t bytes, const Stream& stream, MemoryKind kind) override;
  void free(void* data, std::size_t bytes, const Stream& stream, MemoryKind kind) noexcept override;
  void relabel(std::size_t bytes, MemoryKind from, MemoryKind to) noexcept override {
    allocator_->relabel(bytes, from, to);
  }
  // To the device: the source may be written again when this returns. From the device: ready when the stream is.
  void copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
            const Stream& stream) override;

  Event send(void* to, const void* from, std::size_t bytes, const Stream& stream) override;

  using Backend::make_stream;
  Stream make_stream(StreamPriority priority) override;
  Event record(const Stream& stream) override;
  void wait(const Stream& stream, const Event& event) override;
  void synchronise(const Stream& stream) override;
  Recorder* recorder() override { return recorder_.get(); }

  void use() const;  // this device becomes the calling thread's
  cudaStream_t stream(const Stream& stream) const;
  const cudaDeviceProp& properties() const { return properties_; }
  // Made at first use. cuDNN's works on one stream at a time: whoever uses it sets the stream under this lock.
  cublasLtHandle_t cublas();
  cudnnHandle_t cudnn();
  ProductChoices& products() { return products_; }
  Faults* faults() const { return faults_; }
  std::mutex& cudnn_lock() { return cudnn_lock_; }
  AttentionPlans& attentions() { return *attentions_; }
  bool exact() const { return exact_; }

 private:
  class Staging;

  int device_;
  bool exact_;
  cudaDeviceProp properties_{};
  cudaStream_t default_ = nullptr;
  std::unique_ptr<CachingAllocator> allocator_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<CudaRecorder> recorder_;
  Faults *faults_ = nullptr, *seen_faults_ = nullptr;  // on the device, and where the host reads them
  ProductChoices products_;
  std::once_flag cublas_once_, cudnn_once_;
  cublasLtHandle_t cublas_ = nullptr;
  cudnnHandle_t cudnn_ = nullptr;
  std::mutex cudnn_lock_, faults_lock_;
  std::unique_ptr<AttentionPlans> attentions_;
};

// Of a context whose backend is this one: internal error otherwise.
CudaBackend& cuda_backend(const Context& ctx);
// Its stream; its device is the calling thread's from here on.
cudaStream_t stream_of(const Context& ctx);

}  // namespace strata::cuda
