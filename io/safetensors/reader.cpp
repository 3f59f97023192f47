// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "io/safetensors/header.hpp"
#include "io/safetensors/safetensors.hpp"
#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"
#include "strata/runtime/context.hpp"

namespace strata::io {
namespace {

constexpr std::string_view kSubject = "safetensors";

std::span<std::byte> bytes_of(const Tensor& tensor) { return {static_cast<std::byte*>(tensor.raw()), tensor.bytes()}; }

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(std::string(kSubject), path) { read_header(); }

SafetensorsFile::SafetensorsFile(std::span<const std::byte> bytes, const std::string& name)
    : file_(std::string(kSubject), name, bytes) {
  read_header();
}

void SafetensorsFile::read_header() {
  const auto name = printable(path(), 400);
  STRATA_CHECK(file_.size() > 0, data, kSubject, fmt::format("{} is empty", name));
  STRATA_CHECK(file_.size() >= 8, data, kSubject,
               fmt::format("{} has {} bytes, a safetensors file at least 8", name, file_.size()));
  std::array<std::byte, 8> prefix{};
  file_.read(0, prefix);
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::to_integer<std::uint64_t>(prefix[i]) << (8 * i);
  STRATA_CHECK(
      length <= kLargestSafetensorsHeader, data, kSubject,
      fmt::format("{} announces a header of {} bytes, at most {} are allowed", name, length, kLargestSafetensorsHeader),
      "this is not a safetensors file, or it is damaged");
  STRATA_CHECK(length <= file_.size() - 8, data, kSubject,
               fmt::format("{} announces a header of {} bytes, but has {} bytes in all", name, length, file_.size()),
               "the file is cut short, or not a safetensors file");
  std::string json(static_cast<std::size_t>(length), '\0');
  file_.read(8, std::as_writable_bytes(std::span(json)));
  data_begin_ = 8 + length;
  SafetensorsHeader header = parse_header(json, file_.size() - data_begin_, path());
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
  by_name_.resize(entries_.size());
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::ranges::sort(by_name_, {}, [this](std::size_t i) { return std::string_view(entries_[i].name); });
}

const SafetensorsEntry* SafetensorsFile::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(by_name_, name, {},
                                           [this](std::size_t i) { return std::string_view(entries_[i].name); });
  return at != by_name_.end() && entries_[*at].name == name ? &entries_[*at] : nullptr;
}

const SafetensorsEntry& SafetensorsFile::entry(std::string_view name) const {
  if (const auto* found = find(name)) return *found;
  std::vector<std::string_view> names;
  for (const auto& e : entries_)
    if (e.name.size() < 256) names.push_back(e.name);
  const auto near = nearest_name(name, names);
  fail(ErrorKind::data, kSubject, fmt::format("{} has no tensor called {}", printable(path(), 400), printable(name)),
       near.empty() ? std::string() : fmt::format("did you mean {}?", printable(near)));
}

void SafetensorsFile::read_data(const SafetensorsEntry& entry, std::span<std::byte> into) const {
  file_.read(data_begin_ + entry.begin, into);
}

Tensor SafetensorsFile::load(const SafetensorsEntry& entry) const {
  STRATA_CHECK(entry.dtype.has_value(), data, kSubject,
               fmt::format("{}: tensor {} is {}, a type without tensors here", printable(path(), 400),
                           printable(entry.name), entry.type),
               entry.type == "F16" ? "ask for conversion, or convert the file to F32 or BF16"
                                   : "convert the file to F32, BF16, F64, I64, I32, I16 or U8");
  Tensor tensor = host_tensor(*entry.dtype, entry.shape);
  read_data(entry, bytes_of(tensor));
  return tensor;
}

Tensor SafetensorsFile::load_as(const SafetensorsEntry& entry, DType wanted) const {
  if (entry.dtype == wanted) return load(entry);
  if (entry.type == "F16" && is_floating(wanted)) {
    std::vector<std::uint16_t> halves(static_cast<std::size_t>(entry.shape.numel()));
    read_data(entry, std::as_writable_bytes(std::span(halves)));
    Tensor wide = host_tensor(DType::f32, entry.shape);
    std::ranges::transform(halves, wide.data<float>(), float_from_half);
    return convert_floating(wide, wanted);
  }
  STRATA_CHECK(entry.dtype.has_value() && is_floating(*entry.dtype) && is_floating(wanted), data, kSubject,
               fmt::format("{}: tensor {} is {} and does not convert to {}", printable(path(), 400),
                           printable(entry.name), entry.type, name_of(wanted)));
  return convert_floating(load(entry), wanted);
}

StateDict read_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  StateDict state;
  for (const auto& entry : file.entries()) state.add(entry.name, file.load(entry));
  return state;
}

}  // namespace strata::io
