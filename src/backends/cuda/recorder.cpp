// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/recorder.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/check.hpp"

namespace strata::cuda {

// A graph, and the page-locked memory that its copies read.
class CudaRecorder::Work final : public RecordedWork {
 public:
  explicit Work(cudaStream_t stream) : stream_(stream) {}
  ~Work() override {
    cudaStreamSynchronize(stream_);
    if (graph != nullptr) cudaGraphExecDestroy(graph);
    for (void* page : pages_) cudaFreeHost(page);
  }

  void* slot(std::size_t bytes) {
    constexpr std::size_t kAlignment = 64;
    const std::size_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (size > left_) {
      void* page = nullptr;
      left_ = std::max(size, kPage);
      check(cudaMallocHost(&page, left_), fmt::format("cudaMallocHost of {} bytes", left_));
      pages_.push_back(page);
      next_ = static_cast<std::byte*>(page);
    }
    left_ -= size;
    return std::exchange(next_, next_ + size);
  }

  cudaGraphExec_t graph = nullptr;

 private:
  static constexpr std::size_t kPage = std::size_t{64} << 10;
  cudaStream_t stream_;
  std::vector<void*> pages_;
  std::byte* next_ = nullptr;
  std::size_t left_ = 0;
};

void CudaRecorder::begin() {
  auto work = std::make_shared<Work>(stream_);
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
  recording_ = std::move(work);
}

std::shared_ptr<RecordedWork> CudaRecorder::end() {
  const auto work = std::exchange(recording_, nullptr);
  cudaGraph_t graph = nullptr;
  const cudaError_t ended = cudaStreamEndCapture(stream_, &graph);
  const cudaError_t made = ended == cudaSuccess ? cudaGraphInstantiate(&work->graph, graph, 0) : ended;
  if (graph != nullptr) cudaGraphDestroy(graph);
  if (made != cudaSuccess) cudaGetLastError();  // said once is enough: later launches would report it again
  check(made, ended == cudaSuccess ? "cudaGraphInstantiate" : "cudaStreamEndCapture");
  return work;
}

void CudaRecorder::launch(RecordedWork& work) {
  check(cudaGraphLaunch(dynamic_cast<Work&>(work).graph, stream_), "cudaGraphLaunch");
}

void* CudaRecorder::copy_from_slot(void* to, std::size_t bytes) {
  void* slot = recording_->slot(bytes);
  check(cudaMemcpyAsync(to, slot, bytes, cudaMemcpyHostToDevice, stream_),
        fmt::format("cudaMemcpyAsync of {} bytes", bytes));
  return slot;
}

}  // namespace strata::cuda
