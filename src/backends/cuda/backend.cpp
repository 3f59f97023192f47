// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/backend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backends/cuda/check.hpp"
#include "backends/cuda/cuda.hpp"
#include "backends/cuda/cudnn_attention.hpp"
#include "backends/cuda/devices.hpp"
#include "strata/base/error.hpp"

namespace strata {
namespace cuda {
namespace {

class CudaStream final : public StreamState {
 public:
  CudaStream(int device, StreamPriority priority) : device_(device) {
    int least = 0, greatest = 0;  // smaller numbers go first
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
    check(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                       priority == StreamPriority::high ? greatest : least),
          "cudaStreamCreateWithPriority");
  }
  ~CudaStream() override {
    cudaSetDevice(device_);
    cudaStreamDestroy(stream_);
  }
  void* native(std::string_view kind) override { return kind == "cudaStream_t" ? stream_ : nullptr; }
  cudaStream_t get() const { return stream_; }

 private:
  int device_;
  cudaStream_t stream_ = nullptr;
};

class CudaEvent final : public EventState {
 public:
  explicit CudaEvent(int device) : device_(device) { check(cudaEventCreate(&event_), "cudaEventCreate"); }
  ~CudaEvent() override {
    cudaSetDevice(device_);
    cudaEventDestroy(event_);
  }
  bool ready() override {
    const cudaError_t code = cudaEventQuery(event_);
    if (code == cudaErrorNotReady) return false;
    check(code, "work on the device");
    return true;
  }
  void wait() override { check(cudaEventSynchronize(event_), "work on the device"); }
  double seconds_since(EventState& earlier) override {
    const auto* other = dynamic_cast<const CudaEvent*>(&earlier);
    STRATA_CHECK(other != nullptr, internal, "cuda", "the time since an event of another kind was asked for");
    float milliseconds = 0;
    wait();
    check(cudaEventElapsedTime(&milliseconds, other->event_, event_), "cudaEventElapsedTime");
    return 1e-3 * static_cast<double>(milliseconds);
  }
  cudaEvent_t get() const { return event_; }

 private:
  int device_;
  cudaEvent_t event_ = nullptr;
};

bool is_pinned(const void* data) {
  cudaPointerAttributes attributes{};
  check(cudaPointerGetAttributes(&attributes, data), "cudaPointerGetAttributes");
  return attributes.type == cudaMemoryTypeHost;
}

void* take_device(std::size_t bytes) {
  void* data = nullptr;
  const cudaError_t code = cudaMalloc(&data, bytes);
  if (code == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // said once is enough: later launches would report it again
    return nullptr;
  }
  check(code, fmt::format("cudaMalloc of {} bytes", bytes));
  return data;
}

void give_device(void* data, std::size_t) { cudaFree(data); }  // waits for the device

}  // namespace

// Pageable memory goes to the device through a ring of page-locked pieces: the host fills one while others are on
// their way.
class CudaBackend::Staging {
 public:
  Staging() {
    for (auto& piece : pieces_) {
      check(cudaMallocHost(&piece.data, kPiece), fmt::format("cudaMallocHost of {} bytes", kPiece));
      check(cudaEventCreateWithFlags(&piece.sent, cudaEventDisableTiming), "cudaEventCreate");
    }
  }
  ~Staging() {
    for (auto& piece : pieces_) {
      if (piece.sent != nullptr) cudaEventDestroy(piece.sent);
      if (piece.data != nullptr) cudaFreeHost(piece.data);
    }
  }

  void send(void* to, const void* from, std::size_t bytes, cudaStream_t stream) {
    const std::scoped_lock lock(mutex_);
    for (std::size_t at = 0; at < bytes; at += kPiece) {
      const std::size_t n = std::min(kPiece, bytes - at);
      Piece& piece = pieces_[next_++ % pieces_.size()];
      check(cudaEventSynchronize(piece.sent), "a copy to the device");
      std::memcpy(piece.data, static_cast<const std::byte*>(from) + at, n);
      check(cudaMemcpyAsync(static_cast<std::byte*>(to) + at, piece.data, n, cudaMemcpyHostToDevice, stream),
            fmt::format("cudaMemcpyAsync of {} bytes", n));
      check(cudaEventRecord(piece.sent, stream), "cudaEventRecord");
    }
  }

 private:
  static constexpr std::size_t kPiece = std::size_t{4} << 20;
  struct Piece {
    void* data = nullptr;
    cudaEvent_t sent = nullptr;
  };
  std::mutex mutex_;
  std::array<Piece, 4> pieces_{};
  std::size_t next_ = 0;
};

CudaBackend::CudaBackend(int device, bool exact)
    : device_(device), exact_(exact), attentions_(std::make_unique<AttentionPlans>(device)) {
  use();
  check(cudaGetDeviceProperties(&properties_, device), fmt::format("cudaGetDeviceProperties of device {}", device));
  check(cudaStreamCreateWithFlags(&default_, cudaStreamNonBlocking), "cudaStreamCreate");
  allocator_ = std::make_unique<CachingAllocator>(take_device, give_device, true);
  staging_ = std::make_unique<Staging>();
  recorder_ = std::make_unique<CudaRecorder>(default_, *allocator_);
  void *on_device = nullptr, *on_host = nullptr;
  check(cudaMalloc(&on_device, sizeof(Faults)), "cudaMalloc of the faults");
  faults_ = static_cast<Faults*>(on_device);
  check(cudaMallocHost(&on_host, sizeof(Faults)), "cudaMallocHost of the faults");
  seen_faults_ = static_cast<Faults*>(on_host);
  check(cudaMemset(faults_, 0xff, sizeof(Faults)), "cudaMemset of the faults");
}

CudaBackend::~CudaBackend() {
  cudaSetDevice(device_);
  cudaDeviceSynchronize();
  attentions_.reset();
  if (cudnn_ != nullptr) cudnnDestroy(cudnn_);
  if (cublas_ != nullptr) cublasLtDestroy(cublas_);
  staging_.reset();
  recorder_.reset();
  allocator_.reset();
  cudaFree(faults_);
  cudaFreeHost(seen_faults_);
  if (default_ != nullptr) cudaStreamDestroy(default_);
}

void CudaBackend::use() const { check(cudaSetDevice(device_), fmt::format("cudaSetDevice({})", device_)); }

cudaStream_t CudaBackend::stream(const Stream& stream) const {
  if (stream.state() == nullptr) return default_;
  const auto* state = dynamic_cast<const CudaStream*>(stream.state());
  STRATA_CHECK(state != nullptr, internal, "cuda", "a stream of another backend was given");
  return state->get();
}

void* CudaBackend::allocate(std::size_t bytes, const Stream& stream, MemoryKind kind) {
  use();
  return allocator_->allocate(bytes, kind, this->stream(stream));
}

void CudaBackend::free(void* data, std::size_t bytes, const Stream& stream, MemoryKind kind) noexcept {
  const auto* state = dynamic_cast<const CudaStream*>(stream.state());
  cudaSetDevice(device_);
  allocator_->free(data, bytes, kind, state == nullptr ? default_ : state->get());
}

void CudaBackend::copy(void* to, Device to_device, const void* from, Device from_device, std::size_t bytes,
                       const Stream& stream) {
  const Device mine = device();
  STRATA_CHECK(to_device == mine || from_device == mine, internal, "cuda",
               fmt::format("a copy from {} to {} is none of device {}'s", from_device.str(), to_device.str(), device_));
  if (bytes == 0) return;
  use();
  const cudaStream_t on = this->stream(stream);
  const auto what = [bytes] { return fmt::format("cudaMemcpyAsync of {} bytes", bytes); };
  if (from_device.kind == DeviceKind::host) {
    if (recorder_->is_recording(on)) {  // a kernel's own: the same each time
      std::memcpy(recorder_->copy_from_slot(to, bytes), from, bytes);
      return;
    }
    constexpr std::size_t kInline = std::size_t{64} << 10;  // up to here the driver takes a copy of its own at once
    const bool pinned = is_pinned(from);
    if (!pinned && bytes > kInline) return staging_->send(to, from, bytes, on);
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, on), what());
    if (pinned) check(cudaStreamSynchronize(on), "a copy to the device");
    return;
  }
  const auto direction = to_device.kind == DeviceKind::host ? cudaMemcpyDeviceToHost : cudaMemcpyDeviceToDevice;
  check(cudaMemcpyAsync(to, from, bytes, direction, on), what());
}

Event CudaBackend::send(void* to, const void* from, std::size_t bytes, const Stream& stream) {
  if (bytes == 0) return {};
  use();
  if (!is_pinned(from)) {
    copy(to, device(), from, Device{}, bytes, stream);
    return {};
  }
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, this->stream(stream)),
        fmt::format("cudaMemcpyAsync of {} bytes", bytes));
  return record(stream);
}

Stream CudaBackend::make_stream(StreamPriority priority) {
  use();
  return Stream(std::make_shared<CudaStream>(device_, priority));
}

Event CudaBackend::record(const Stream& stream) {
  use();
  auto event = std::make_shared<CudaEvent>(device_);
  check(cudaEventRecord(event->get(), this->stream(stream)), "cudaEventRecord");
  return Event(std::move(event));
}

void CudaBackend::wait(const Stream& stream, const Event& event) {
  if (event.state() == nullptr) return;
  use();
  if (const auto* mine = dynamic_cast<const CudaEvent*>(event.state()))
    return check(cudaStreamWaitEvent(this->stream(stream), mine->get()), "cudaStreamWaitEvent");
  const auto parts = event.state()->parts();
  for (const auto& part : parts) wait(stream, part);
  if (parts.empty()) event.wait();
}

void CudaBackend::synchronise(const Stream& stream) {
  use();
  const cudaStream_t on = this->stream(stream);
  STRATA_CHECK(!recorder_->is_recording(on), environment, "cuda", "a kernel waits for the device while it is recorded");
  const std::scoped_lock lock(faults_lock_);
  check(cudaMemcpyAsync(seen_faults_, faults_, sizeof(Faults), cudaMemcpyDeviceToHost, on),
        "cudaMemcpyAsync of faults");
  check(cudaStreamSynchronize(on), "work on the device");
  if (std::ranges::all_of(seen_faults_->first, [](auto first) { return first == ~0ull; })) return;
  check(cudaMemsetAsync(faults_, 0xff, sizeof(Faults), on), "cudaMemsetAsync of faults");
  check_faults(*seen_faults_);
}

cublasLtHandle_t CudaBackend::cublas() {
  std::call_once(cublas_once_, [this] {
    use();
    check(cublasLtCreate(&cublas_), "cublasLtCreate");
  });
  return cublas_;
}

cudnnHandle_t CudaBackend::cudnn() {
  std::call_once(cudnn_once_, [this] {
    use();
    check(cudnnCreate(&cudnn_), "cudnnCreate");
  });
  return cudnn_;
}

CudaBackend& cuda_backend(const Context& ctx) {
  auto* backend = dynamic_cast<CudaBackend*>(&ctx.backend());
  STRATA_CHECK(backend != nullptr, internal, "cuda",
               fmt::format("a kernel of the cuda table was called with the {} backend", ctx.backend().name()),
               "pair make_cuda_table() with make_cuda_backend()");
  return *backend;
}

cudaStream_t stream_of(const Context& ctx) {
  const CudaBackend& backend = cuda_backend(ctx);
  backend.use();
  return backend.stream(ctx.stream());
}

Faults* faults_of(const Context& ctx) { return cuda_backend(ctx).faults(); }

ProductTools product_tools(const Context& ctx) {
  CudaBackend& backend = cuda_backend(ctx);
  return {backend.cublas(), backend.products()};
}

CudnnTools cudnn_tools(const Context& ctx) {
  CudaBackend& backend = cuda_backend(ctx);
  return {backend.cudnn(),
          backend.cudnn_lock(),
          backend.attentions(),
          {backend.properties().major, cudnnGetVersion(), backend.exact()}};
}

}  // namespace cuda

std::shared_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  const CudaDevices found = cuda_devices();
  return std::make_shared<cuda::CudaBackend>(cuda::choose_device(options.device, found), options.exact);
}

void* take_pinned(const Backend& cuda, std::size_t bytes) {
  void* data = nullptr;
  cudaSetDevice(cuda.device().index);  // a thread that named none would make a context on the first
  if (cudaMallocHost(&data, bytes) == cudaSuccess) return data;
  cudaGetLastError();
  return nullptr;
}

void give_pinned(void* data) { cudaFreeHost(data); }

}  // namespace strata
