// SPDX-License-Identifier: Apache-2.0
#include "strata/tensor/tensor.hpp"

#include <fmt/format.h>

#include <atomic>
#include <vector>

#include "strata/base/error.hpp"

namespace strata {
namespace {

std::uint64_t next_storage_id() {
  static std::atomic<std::uint64_t> counter{0};
  return ++counter;
}

Strides dense_strides(const Shape& shape) {
  Strides strides{};
  std::int64_t step = 1;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    strides[static_cast<std::size_t>(i)] = step;
    step *= shape[i];
  }
  return strides;
}

}  // namespace

std::string Device::str() const { return kind == DeviceKind::host ? "host" : fmt::format("cuda:{}", index); }

Storage::Storage(void* data, std::size_t bytes, Device device)
    : data_(data), bytes_(bytes), device_(device), id_(next_storage_id()) {}
Storage::~Storage() = default;

std::string TensorSpec::str() const {
  return defined ? fmt::format("{}{}", name_of(dtype), shape.str()) : std::string("none");
}

Tensor::Tensor(std::shared_ptr<Storage> storage, DType dtype, Shape shape, std::size_t byte_offset)
    : storage_(std::move(storage)),
      dtype_(dtype),
      shape_(shape),
      strides_(dense_strides(shape)),
      byte_offset_(byte_offset) {
  STRATA_CHECK(byte_offset_ + bytes() <= storage_->bytes(), internal, "tensor",
               fmt::format("{} at byte {} does not fit into a storage of {} bytes", spec().str(), byte_offset_,
                           storage_->bytes()));
  STRATA_CHECK(reinterpret_cast<std::uintptr_t>(raw()) % size_of(dtype_) == 0, internal, "tensor",
               fmt::format("{} at byte {} is not aligned to its elements", spec().str(), byte_offset_));
}

Tensor Tensor::borrow(void* data, DType dtype, Shape shape) {
  const auto bytes = static_cast<std::size_t>(shape.numel()) * size_of(dtype);
  return Tensor(std::make_shared<Storage>(data, bytes, Device{}), dtype, shape);
}

bool Tensor::is_dense() const {
  if (numel() == 0) return true;
  std::int64_t step = 1;
  for (int i = ndim() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && stride(i) != step) return false;
    step *= shape_[i];
  }
  return true;
}

bool Tensor::is_row_dense() const {
  if (ndim() < 2 || numel() == 0) return is_dense();
  if (dim(-1) != 1 && stride(-1) != 1) return false;
  std::int64_t step = 0;  // of the next outer axis; unknown until an axis of more than one row is met
  for (int i = ndim() - 2; i >= 0; --i) {
    if (shape_[i] == 1) continue;
    if (step != 0 && stride(i) != step) return false;
    step = stride(i) * shape_[i];
  }
  return true;
}

std::int64_t Tensor::row_stride() const {
  STRATA_DCHECK(is_row_dense());
  for (int i = ndim() - 2; i >= 0 && numel() > 0; --i)
    if (shape_[i] != 1) return stride(i);
  return ndim() == 0 ? 1 : dim(-1);  // one row, or none: any would do, and this one is a valid leading dimension
}

void* Tensor::raw() const {
  if (!storage_) fail(ErrorKind::internal, "tensor", "an undefined tensor has no memory");
  return static_cast<std::byte*>(storage_->data()) + byte_offset_;
}

void Tensor::check_type(DType wanted) const {
  STRATA_CHECK(dtype_ == wanted, internal, "tensor",
               fmt::format("asked for {} of a tensor of {}", name_of(wanted), spec().str()));
}

Tensor Tensor::reshape(Shape shape) const {
  STRATA_CHECK(is_dense(), internal, "tensor", fmt::format("cannot reshape a strided view of {}", shape_.str()),
               "copy it first");
  STRATA_CHECK(shape.numel() == numel(), usage, "tensor",
               fmt::format("cannot reshape {} to {}", shape_.str(), shape.str()));
  Tensor view = *this;
  view.shape_ = shape;
  view.strides_ = dense_strides(shape);
  return view;
}

Tensor Tensor::reshape(std::initializer_list<std::int64_t> extents) const {
  std::vector<std::int64_t> resolved(extents);
  std::int64_t known = 1;
  int open = -1;
  for (std::size_t i = 0; i < resolved.size(); ++i) {
    if (resolved[i] == -1) {
      STRATA_CHECK(open < 0, usage, "tensor", "only one extent of a reshape may be -1");
      open = static_cast<int>(i);
    } else {
      known *= resolved[i];
    }
  }
  STRATA_CHECK(open < 0 || known != 0, usage, "tensor",
               fmt::format("no extent can be inferred for -1: {} has no elements", shape_.str()), "say the extent");
  if (open >= 0) resolved[static_cast<std::size_t>(open)] = numel() / known;
  return reshape(Shape(std::span<const std::int64_t>(resolved)));
}

Tensor Tensor::of(std::shared_ptr<Storage> storage) const {
  STRATA_CHECK(storage != nullptr && storage->bytes() == storage_->bytes(), internal, "tensor",
               "a view was asked of a storage that is not laid out alike");
  Tensor view = *this;
  view.storage_ = std::move(storage);
  return view;
}

Tensor Tensor::slice(int axis, std::int64_t begin, std::int64_t end) const {
  const int a = shape_.resolve(axis);
  STRATA_CHECK(0 <= begin && begin <= end && end <= shape_[a], usage, "tensor",
               fmt::format("cannot take [{}, {}) of axis {} of {}", begin, end, a, shape_.str()));
  Tensor view = *this;
  view.byte_offset_ += static_cast<std::size_t>(begin * stride(a)) * size_of(dtype_);
  view.shape_ = shape_.with(a, end - begin);
  return view;
}

Tensor Tensor::transpose(int a, int b) const {
  const int i = shape_.resolve(a), j = shape_.resolve(b);
  Tensor view = *this;
  view.shape_ = shape_.with(i, shape_[j]).with(j, shape_[i]);
  std::swap(view.strides_[static_cast<std::size_t>(i)], view.strides_[static_cast<std::size_t>(j)]);
  return view;
}

Tensor Tensor::rows() const {
  STRATA_CHECK(ndim() >= 1 && is_row_dense(), internal, "tensor",
               fmt::format("{} is not a matrix with a leading dimension", shape_.str()));
  Tensor view = *this;
  const std::int64_t width = dim(-1), step = row_stride();
  view.shape_ = Shape{shape_.outer(-1), width};
  view.strides_ = {step, 1};
  return view;
}

bool Tensor::same_view(const Tensor& other) const {
  return storage_ == other.storage_ && byte_offset_ == other.byte_offset_ && dtype_ == other.dtype_ &&
         shape_ == other.shape_ && strides_ == other.strides_;
}

}  // namespace strata
