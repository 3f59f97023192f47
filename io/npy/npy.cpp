// SPDX-License-Identifier: Apache-2.0
#include "io/npy/npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "io/npy/header.hpp"
#include "strata/base/error.hpp"
#include "strata/io/file.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"
#include "strata/runtime/context.hpp"

namespace strata::io {
namespace {

static_assert(std::endian::native == std::endian::little, "little-endian arrays are read without swapping");

constexpr std::size_t kLargestHeader = 65536;  // NumPy itself trusts 10,000 characters
constexpr std::string_view kMagic("\x93NUMPY", 6);

std::span<std::byte> bytes_of(const Tensor& tensor) { return {static_cast<std::byte*>(tensor.raw()), tensor.bytes()}; }

void swap_bytes(std::span<std::byte> bytes, std::size_t element) {
  for (std::size_t at = 0; at < bytes.size(); at += element) std::ranges::reverse(bytes.subspan(at, element));
}

[[noreturn]] void bad(const InputFile& file, const std::string& what, std::string_view hint = {}) {
  fail(ErrorKind::data, "npy", fmt::format("{}: {}", printable(file.path(), 400), what), hint);
}

// Reads magic, version, length and text; returns where the data begins.
std::uint64_t read_header(const InputFile& file, std::string& text) {
  constexpr std::string_view kHint = "the file is cut short, or not a .npy file";
  if (file.size() == 0) bad(file, "the file is empty");
  if (file.size() < 10) bad(file, fmt::format("the file has {} bytes, a .npy file at least 10", file.size()), kHint);
  std::array<std::byte, 12> head{};
  file.read(0, std::span(head).first(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), 12))));
  if (std::memcmp(head.data(), kMagic.data(), kMagic.size()) != 0)
    bad(file, "the file does not begin as a .npy file does", "give a file written by numpy.save");
  const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(head[i]); };
  if (byte(6) < 1 || byte(6) > 3 || byte(7) != 0)
    bad(file, fmt::format("format version {}.{} is not known, only 1.0, 2.0 and 3.0", byte(6), byte(7)));
  const std::size_t prefix = byte(6) == 1 ? 10 : 12;
  const std::size_t length = byte(8) | byte(9) << 8 | (byte(6) == 1 ? 0 : byte(10) << 16 | byte(11) << 24);
  if (length > kLargestHeader)
    bad(file, fmt::format("the header is announced with {} bytes, at most {} are read", length, kLargestHeader));
  if (file.size() < prefix || length > file.size() - prefix)
    bad(file, fmt::format("the header is announced with {} bytes, but the file has {}", length, file.size()), kHint);
  text.assign(length, '\0');
  file.read(prefix, std::as_writable_bytes(std::span(text)));
  return prefix + length;
}

Tensor reversed(const Tensor& tensor) {
  Tensor view = tensor;
  for (int axis = 0; axis < tensor.ndim() / 2; ++axis) view = view.transpose(axis, tensor.ndim() - 1 - axis);
  return view;
}

Shape reversed(const Shape& shape) {
  std::vector<std::int64_t> extents(shape.extents().rbegin(), shape.extents().rend());
  return Shape(std::span<const std::int64_t>(extents));
}

Tensor read(const InputFile& file) {
  std::string text;
  const std::uint64_t data_begin = read_header(file, text);
  const NpyHeader header = parse_npy_header(text, file.path());
  const std::uint64_t bytes =
      static_cast<std::uint64_t>(header.shape.numel()) * size_of(header.dtype);  // cannot overflow
  const std::uint64_t held = file.size() - data_begin;
  const TensorSpec spec{header.dtype, header.shape};
  if (bytes != held)
    bad(file, fmt::format("an array of {} takes {} bytes, but {} follow the header", spec.str(), bytes, held),
        bytes > held ? "the file is cut short" : "");
  // Fortran order is C order of the reversed shape.
  Tensor tensor = host_tensor(header.dtype, header.fortran_order ? reversed(header.shape) : header.shape);
  file.read(data_begin, bytes_of(tensor));
  if (header.big_endian) swap_bytes(bytes_of(tensor), size_of(header.dtype));
  return header.fortran_order ? dense_on_host(reversed(tensor)) : tensor;
}

}  // namespace

Tensor read_npy(const std::string& path) { return read(InputFile("npy", path)); }

Tensor read_npy(std::span<const std::byte> bytes, const std::string& name) {
  return read(InputFile("npy", name, bytes));
}

void write_npy(const std::string& path, const Tensor& tensor) {
  const std::string header = build_npy_header(tensor.spec());
  const Tensor dense = dense_on_host(tensor);
  OutputFile file("npy", path);
  file.write(header);
  file.write(bytes_of(dense));
  file.commit();
}

}  // namespace strata::io
