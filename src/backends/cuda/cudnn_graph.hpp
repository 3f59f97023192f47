// SPDX-License-Identifier: Apache-2.0
//
// cuDNN's backend interface in a few owning types: descriptors, a graph of operations, and the plan that an engine made
// of it. What cuDNN does not serve is thrown as Refused and must be caught where there is another way; any other status
// is an error. Making a plan compiles a kernel: half a second.
#pragma once

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace strata::cuda {

struct Refused {
  std::string why;
};
// True for success, false for what is not supported; anything else is an error.
bool accepted(cudnnStatus_t status, std::string_view what);

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(cudnnBackendDescriptorType_t type);
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor();

  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::span<const T> values) {
    put(name, type, static_cast<std::int64_t>(values.size()), values.data());
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) {
    put(name, type, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& other) {
    put(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &other.value_);
  }
  void finalise(std::string_view what);
  cudnnBackendDescriptor_t get() const { return value_; }

 private:
  void put(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count, const void* values);

  cudnnBackendDescriptor_t value_ = nullptr;
};

// The device that plans are for: one of this machine, or one that is described as cuDNN describes its own in JSON.
Descriptor device_description(int index);
Descriptor device_description(std::string_view json);

// Four axes. An id above zero is what memory is bound to when a plan runs; tensors without one exist within the graph
// alone.
struct GraphTensor {
  std::int64_t id = 0;
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::array<std::int64_t, 4> extents{1, 1, 1, 1}, strides{1, 1, 1, 1};
  std::int64_t alignment = 16;  // bytes
  std::int64_t ragged = 0;      // id of an i64 tensor: the element where each batch begins
  bool by_value = false;        // bound to the host's memory
};

// Ids of what holds, for each batch, how much of a product's axes is there: i32 [batches]. 0: all of it.
struct TrueExtents {
  std::int64_t m = 0, n = 0, k = 0;
};

class CudnnGraph {
 public:
  using Id = std::int64_t;

  Id add(GraphTensor tensor);  // an id that is known already stays what it is
  void matmul(Id a, Id b, Id y, const TrueExtents& extents = {}, bool pads = false);
  void pointwise(cudnnPointwiseMode_t mode, std::span<const Id> inputs, Id y,
                 cudnnDataType_t precision = CUDNN_DATA_FLOAT, std::int64_t axis = -1);
  void reduce(cudnnReduceTensorOp_t mode, Id x, Id y);
  void reshape(Id x, Id y);
  void finalise();
  const Descriptor& descriptor() const { return graph_; }

 private:
  const Descriptor& of(Id id) const { return tensors_.at(id); }
  Descriptor& operation(cudnnBackendDescriptorType_t type) { return operations_.emplace_back(type); }

  std::map<Id, Descriptor> tensors_;
  std::deque<Descriptor> parts_, operations_;
  Descriptor graph_;
  Id next_ = 1'000'000;
};

struct Binding {
  CudnnGraph::Id id;
  void* data;  // of the device, or of the host where the tensor is by value
};

class CudnnPlan {
 public:
  // The first engine of cuDNN's choice that can.
  CudnnPlan(CudnnGraph graph, const Descriptor& device);
  std::int64_t workspace() const { return workspace_; }
  // On the handle's stream. False where it is refused.
  bool run(cudnnHandle_t handle, std::span<const Binding> bindings, void* workspace) const;

 private:
  CudnnGraph graph_;
  Descriptor engine_, plan_;
  std::int64_t workspace_ = 0;
};

}  // namespace strata::cuda
