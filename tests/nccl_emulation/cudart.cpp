// SPDX-License-Identifier: Apache-2.0
#include "tests/nccl_emulation/cudart.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "tests/nccl_emulation/emulation.hpp"

namespace strata::nccl_emulation {
namespace {

// A point of a stream that others wait for.
class Point {
 public:
  void reach() {
    const std::lock_guard lock(mutex_);
    reached_ = true;
    changed_.notify_all();
  }
  bool reached() {
    const std::lock_guard lock(mutex_);
    return reached_;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return reached_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool reached_ = false;
};

class FakeStream {
 public:
  explicit FakeStream(int device) : device_(device), thread_([this] { run(); }) {}
  ~FakeStream() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  int device() const { return device_; }
  using Work = std::vector<std::function<void()>>;

  void capture() { captured_ = std::make_unique<Work>(); }
  std::unique_ptr<Work> end_capture() { return std::move(captured_); }
  void put(std::function<void()> work) {
    if (captured_) return captured_->push_back(std::move(work));
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
    changed_.notify_all();
  }
  std::shared_ptr<Point> mark() {
    auto point = std::make_shared<Point>();
    put([point] { point->reach(); });
    return point;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (unsigned long turn = 1;; ++turn) {
      changed_.wait(lock, [this] { return stop_ || !work_.empty(); });
      if (work_.empty()) return;
      const auto work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      if (turn % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));  // a device is late
      work();
      lock.lock();
    }
  }

  int device_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> work_;
  bool stop_ = false;
  std::unique_ptr<Work> captured_;  // of the thread that puts
  std::thread thread_;
};

struct FakeEvent {
  int device;
  std::mutex mutex;
  std::shared_ptr<Point> point;  // of the last record
};

struct Machine {
  std::mutex mutex;
  std::map<void*, std::size_t> device_blocks;
  std::set<void*> pinned;
  std::set<FakeStream*> streams;
};

Machine& machine() {
  static Machine value;
  return value;
}

thread_local int chosen_device = 0;

FakeStream& of(cudaStream_t stream) { return *reinterpret_cast<FakeStream*>(stream); }
FakeEvent& of(cudaEvent_t event) { return *reinterpret_cast<FakeEvent*>(event); }

std::shared_ptr<Point> point_of(cudaEvent_t event) {
  const std::lock_guard lock(of(event).mutex);
  return of(event).point;
}

cudaError_t make_stream(cudaStream_t* stream) {
  auto* made = new FakeStream(chosen_device);
  const std::lock_guard lock(machine().mutex);
  machine().streams.insert(made);
  *stream = reinterpret_cast<cudaStream_t>(made);
  return cudaSuccess;
}

}  // namespace

void wait_for_device(int device) {
  std::vector<std::shared_ptr<Point>> points;
  {
    const std::lock_guard lock(machine().mutex);
    for (auto* stream : machine().streams)
      if (stream->device() == device) points.push_back(stream->mark());
  }
  for (const auto& point : points) point->wait();
}
int current_device() { return chosen_device; }
int device_of(cudaStream_t stream) { return of(stream).device(); }
void run_on(cudaStream_t stream, std::function<void()> work) { of(stream).put(std::move(work)); }

}  // namespace strata::nccl_emulation

using namespace strata::nccl_emulation;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = kDevices;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return cudaErrorInvalidDevice;
  chosen_device = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = chosen_device;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "emulated");
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* id, int bytes, int device) {
  std::snprintf(id, static_cast<std::size_t>(bytes), "0000:%02x:00.0", device);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  wait_for_device(chosen_device);
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t) { return "an error of the emulation"; }
const char* cudaGetErrorName(cudaError_t) { return "emulated"; }

cudaError_t cudaMalloc(void** data, size_t bytes) {
  *data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  std::memset(*data, 0xc3, bytes);  // whoever reads what was never written sees it
  const std::lock_guard lock(machine().mutex);
  machine().device_blocks[*data] = bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* data) {
  wait_for_device(chosen_device);
  const std::lock_guard lock(machine().mutex);
  const auto block = machine().device_blocks.find(data);
  if (block == machine().device_blocks.end()) return cudaErrorInvalidValue;
  std::memset(data, 0xdb, block->second);
  machine().device_blocks.erase(block);
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** data, size_t bytes) {
  *data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  const std::lock_guard lock(machine().mutex);
  machine().pinned.insert(*data);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  const std::lock_guard lock(machine().mutex);
  machine().pinned.erase(data);
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  *attributes = {};
  const std::lock_guard lock(machine().mutex);
  attributes->type =
      machine().pinned.contains(const_cast<void*>(data)) ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  run_on(stream, [to, value, bytes] { std::memset(to, value, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  wait_for_device(chosen_device);
  std::memset(to, value, bytes);
  return cudaSuccess;
}

// Pageable sources are read at once, as the driver does; everything else when the stream comes to it.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  cudaPointerAttributes attributes{};
  cudaPointerGetAttributes(&attributes, from);
  if (kind == cudaMemcpyHostToDevice && attributes.type == cudaMemoryTypeUnregistered) {
    const auto* first = static_cast<const unsigned char*>(from);
    run_on(stream, [to, copy = std::vector<unsigned char>(first, first + bytes)] {
      std::memcpy(to, copy.data(), copy.size());
    });
  } else {
    run_on(stream, [to, from, bytes] { std::memmove(to, from, bytes); });
  }
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int) { return make_stream(stream); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned int flags, int priority) {
  if (flags != cudaStreamNonBlocking || priority > 0 || priority < -5) return cudaErrorInvalidValue;
  return make_stream(stream);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  {
    const std::lock_guard lock(machine().mutex);
    machine().streams.erase(&of(stream));
  }
  delete &of(stream);  // after its work, as on a device
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  of(stream).mark()->wait();
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
  if (const auto point = point_of(event)) of(stream).put([point] { point->wait(); });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int) {
  *event = reinterpret_cast<cudaEvent_t>(new FakeEvent{chosen_device, {}, nullptr});
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  *milliseconds = 1;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete &of(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (of(event).device != of(stream).device()) return cudaErrorInvalidResourceHandle;
  const std::lock_guard lock(of(event).mutex);
  of(event).point = of(stream).mark();
  return cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const auto point = point_of(event);
  return !point || point->reached() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (const auto point = point_of(event)) point->wait();
  return cudaSuccess;
}

// A graph, and its executable form, is the list of what was captured.
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  of(stream).capture();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = reinterpret_cast<cudaGraph_t>(of(stream).end_capture().release());
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* made, cudaGraph_t graph, unsigned long long) {
  *made = reinterpret_cast<cudaGraphExec_t>(new FakeStream::Work(*reinterpret_cast<FakeStream::Work*>(graph)));
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<FakeStream::Work*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete reinterpret_cast<FakeStream::Work*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  for (const auto& work : *reinterpret_cast<FakeStream::Work*>(graph)) run_on(stream, work);
  return cudaSuccess;
}

}  // extern "C"
