// SPDX-License-Identifier: Apache-2.0
//
// Where work happens: a backend, its kernel table, and the stream that ops are put on. Passed by reference to
// everything that computes; there is no default device. Cheap to copy; must not outlive the backend and table it names.
#pragma once

#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/runtime/backend.hpp"
#include "strata/runtime/kernel_table.hpp"

namespace strata {

class Context {
 public:
  Context(std::shared_ptr<Backend> backend, const KernelTable& kernels, Stream stream = {})
      : backend_(std::move(backend)), kernels_(&kernels), stream_(std::move(stream)) {}

  Backend& backend() const { return *backend_; }
  const KernelTable& kernels() const { return *kernels_; }
  const Stream& stream() const { return stream_; }
  MemoryKind kind() const { return kind_; }
  Context on(Stream stream) const;          // the same device, another stream
  Context labelled(MemoryKind kind) const;  // the same in all, but that new tensors are counted as this kind

  // New dense tensors on this device. `empty` leaves the contents undefined.
  Tensor empty(DType dtype, const Shape& shape) const;
  Tensor zeros(DType dtype, const Shape& shape) const;

  // Host values to this device and back. `to_host` waits for the stream. T is the tensor's element type.
  template <class T>
  Tensor tensor(std::span<const T> values, const Shape& shape) const;
  template <class T>
  Tensor tensor(const std::vector<T>& values, const Shape& shape) const {
    return tensor(std::span<const T>(values), shape);
  }
  Tensor upload(const Tensor& host) const;                  // dense host tensor -> this device (a copy)
  std::pair<Tensor, Event> send(const Tensor& host) const;  // the same; `host` must stay as it is until the event
  Tensor download(const Tensor& dense) const;               // this device -> host memory of its own; waits
  template <class T>
  std::vector<T> to_host(const Tensor& dense) const;
  double item(const Tensor& scalar) const;  // the one element, of any type, as double; waits

  void synchronise() const { backend_->synchronise(stream_); }

 private:
  std::shared_ptr<Backend> backend_;
  const KernelTable* kernels_;
  Stream stream_;
  MemoryKind kind_ = MemoryKind::other;
};

// Plain host memory that no backend owns: file contents, results for people.
Tensor host_tensor(DType dtype, const Shape& shape);

template <class T>
Tensor Context::tensor(std::span<const T> values, const Shape& shape) const {
  STRATA_CHECK(static_cast<std::int64_t>(values.size()) == shape.numel(), internal, "context",
               "a tensor of " + shape.str() + " from " + std::to_string(values.size()) + " values");
  return upload(Tensor::borrow(const_cast<T*>(values.data()), dtype_of<T>, shape));
}

template <class T>
std::vector<T> Context::to_host(const Tensor& dense) const {
  const Tensor host = download(dense);
  const T* first = host.data<T>();
  return std::vector<T>(first, first + host.numel());
}

}  // namespace strata
