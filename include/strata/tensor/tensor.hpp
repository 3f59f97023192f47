// SPDX-License-Identifier: Apache-2.0
//
// A strided view of typed memory. Copying a Tensor copies the handle; the memory lives as long as any handle. A Tensor
// says on which device its memory lies but cannot compute: ops do (strata/ops). Views (slice, transpose, reshape) never
// copy.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "strata/tensor/dtype.hpp"
#include "strata/tensor/memory_kind.hpp"
#include "strata/tensor/shape.hpp"

namespace strata {

enum class DeviceKind : std::uint8_t { host, cuda };

// Where memory lies. All CPU backends share `host`.
struct Device {
  DeviceKind kind = DeviceKind::host;
  int index = 0;
  bool operator==(const Device&) const = default;
  std::string str() const;
};

// A block of memory with one owner. Derived classes give it back in their destructor. `id` is unique in the process and
// `version` counts writes after creation, so whoever caches something derived from a tensor's contents (packed weights)
// can key it by (id, offset, version).
class Storage {
 public:
  Storage(void* data, std::size_t bytes, Device device);
  virtual ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  std::uint64_t id() const { return id_; }
  std::uint64_t version() const { return version_; }
  void bump_version() { ++version_; }
  // Its role changed: the books of whoever lent it follow. Nothing where no books are kept.
  virtual void label(MemoryKind) {}

 private:
  void* data_;
  std::size_t bytes_;
  Device device_;
  std::uint64_t id_;
  std::uint64_t version_ = 0;
};

using Strides = std::array<std::int64_t, kMaxDims>;

// What a kernel needs to know of a tensor to say whether it serves it.
struct TensorSpec {
  DType dtype = DType::f32;
  Shape shape;
  bool defined = true;  // false: an optional input that was not given
  bool operator==(const TensorSpec&) const = default;
  std::string str() const;  // "f32[2, 33, 96]"
};

class Tensor {
 public:
  Tensor() = default;                                                                               // undefined
  Tensor(std::shared_ptr<Storage> storage, DType dtype, Shape shape, std::size_t byte_offset = 0);  // dense, row-major
  // A view of memory that somebody else owns and keeps alive. Host only.
  static Tensor borrow(void* data, DType dtype, Shape shape);

  bool defined() const { return storage_ != nullptr; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int ndim() const { return shape_.ndim(); }
  std::int64_t dim(int axis) const { return shape_[axis]; }
  std::int64_t numel() const { return shape_.numel(); }
  std::size_t bytes() const {
    return static_cast<std::size_t>(numel()) * size_of(dtype_);
  }  // of the elements, not of the storage
  std::int64_t stride(int axis) const {
    return strides_[static_cast<std::size_t>(shape_.resolve(axis))];
  }  // in elements
  Device device() const { return storage_->device(); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  std::size_t byte_offset() const { return byte_offset_; }
  TensorSpec spec() const { return {dtype_, shape_, defined()}; }

  bool is_dense() const;  // row-major without gaps
  bool is_row_dense()
      const;  // innermost stride 1, and all outer axes fold into one row stride: a matrix with a leading dimension
  std::int64_t row_stride() const;  // elements from one row to the next; tensor must be row dense

  void* raw() const;
  // Typed pointer to the first element; the wrong type is an internal error.
  template <class T>
  T* data() const {
    check_type(dtype_of<T>);
    return static_cast<T*>(raw());
  }

  // Views. reshape needs a dense tensor; one extent may be -1.
  Tensor reshape(Shape shape) const;
  Tensor reshape(std::initializer_list<std::int64_t> extents) const;
  Tensor slice(int axis, std::int64_t begin, std::int64_t end) const;
  Tensor transpose(int a, int b) const;
  Tensor rows() const;  // [product of outer extents, last extent]; needs a row-dense tensor

  // The same elements of another storage that is laid out alike.
  Tensor of(std::shared_ptr<Storage> storage) const;

  bool same_view(const Tensor& other) const;  // the very same elements of the same storage

 private:
  void check_type(DType wanted) const;

  std::shared_ptr<Storage> storage_;
  DType dtype_ = DType::f32;
  Shape shape_;
  Strides strides_{};
  std::size_t byte_offset_ = 0;
};

}  // namespace strata
