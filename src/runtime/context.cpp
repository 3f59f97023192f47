// SPDX-License-Identifier: Apache-2.0
#include "strata/runtime/context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <limits>

#include "strata/base/error.hpp"

namespace strata {
namespace {

// Gives its memory back to the backend that lent it, ordered on the stream it was lent for.
class BackendStorage final : public Storage {
 public:
  BackendStorage(std::shared_ptr<Backend> backend, Stream stream, std::size_t bytes, MemoryKind kind)
      : Storage(backend->allocate(bytes, stream, kind), bytes, backend->device()),
        backend_(std::move(backend)),
        stream_(std::move(stream)),
        kind_(kind) {}
  ~BackendStorage() override { backend_->free(data(), bytes(), stream_, kind_); }

  void label(MemoryKind kind) override {
    if (kind != kind_) backend_->relabel(bytes(), kind_, kind);
    kind_ = kind;
  }

 private:
  std::shared_ptr<Backend> backend_;
  Stream stream_;
  MemoryKind kind_;
};

class HostStorage final : public Storage {
 public:
  explicit HostStorage(std::size_t bytes) : Storage(std::aligned_alloc(64, (bytes / 64 + 1) * 64), bytes, Device{}) {
    STRATA_CHECK(data() != nullptr, environment, "host memory", fmt::format("no memory for {} bytes", bytes));
  }
  ~HostStorage() override { std::free(data()); }
};

std::size_t bytes_of(DType dtype, const Shape& shape) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / 8;
  STRATA_CHECK(shape.numel() <= kMost, usage, "memory", fmt::format("{} is larger than any memory", shape.str()));

  return static_cast<std::size_t>(shape.numel()) * size_of(dtype);
}

}  // namespace

Tensor host_tensor(DType dtype, const Shape& shape) {
  return Tensor(std::make_shared<HostStorage>(bytes_of(dtype, shape)), dtype, shape);
}

Context Context::on(Stream stream) const {
  Context other = *this;
  other.stream_ = std::move(stream);
  return other;
}

Context Context::labelled(MemoryKind kind) const {
  Context other = *this;
  other.kind_ = kind;
  return other;
}

Tensor Context::empty(DType dtype, const Shape& shape) const {
  return Tensor(std::make_shared<BackendStorage>(backend_, stream_, bytes_of(dtype, shape), kind_), dtype, shape);
}

Tensor Context::zeros(DType dtype, const Shape& shape) const {
  constexpr std::size_t kPiece = std::size_t{1} << 20;  // so that a large tensor needs no second one on the host
  Tensor result = empty(dtype, shape);
  const std::vector<std::byte> piece(std::min(kPiece, result.bytes()));
  for (std::size_t at = 0; at < result.bytes(); at += kPiece)
    backend_->copy(static_cast<std::byte*>(result.raw()) + at, backend_->device(), piece.data(), Device{},
                   std::min(kPiece, result.bytes() - at), stream_);
  return result;
}

Tensor Context::upload(const Tensor& host) const {
  Tensor result = empty(host.dtype(), host.shape());
  STRATA_CHECK(host.is_dense(), internal, "context", fmt::format("upload of a strided view {}", host.shape().str()));
  backend_->copy(result.raw(), backend_->device(), host.raw(), Device{}, host.bytes(), stream_);
  return result;
}

std::pair<Tensor, Event> Context::send(const Tensor& host) const {
  STRATA_CHECK(host.is_dense(), internal, "context", fmt::format("sending a strided view {}", host.shape().str()));
  Tensor result = empty(host.dtype(), host.shape());
  Event sent = backend_->send(result.raw(), host.raw(), host.bytes(), stream_);
  return {std::move(result), std::move(sent)};
}

Tensor Context::download(const Tensor& dense) const {
  STRATA_CHECK(dense.is_dense(), internal, "context", fmt::format("download of a strided view {}", dense.shape().str()),
               "copy it first");
  Tensor result = host_tensor(dense.dtype(), dense.shape());
  backend_->copy(result.raw(), Device{}, dense.raw(), dense.device(), dense.bytes(), stream_);
  backend_->synchronise(stream_);
  return result;
}

double Context::item(const Tensor& scalar) const {
  STRATA_CHECK(scalar.numel() == 1, usage, "context",
               fmt::format("item() of {}, which has {} elements", scalar.shape().str(), scalar.numel()));
  const Tensor host = download(scalar);
  switch (host.dtype()) {
    case DType::f32: return *host.data<float>();
    case DType::bf16: return static_cast<float>(*host.data<BFloat16>());
    case DType::f64: return *host.data<double>();
    case DType::i32: return *host.data<std::int32_t>();
    case DType::i64: return static_cast<double>(*host.data<std::int64_t>());
    case DType::u8: return *host.data<std::uint8_t>();
    case DType::i16: return *host.data<std::int16_t>();
  }
  return 0;
}

}  // namespace strata
