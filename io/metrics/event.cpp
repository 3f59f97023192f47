// SPDX-License-Identifier: Apache-2.0
#include "io/metrics/event.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "io/metrics/crc32c.hpp"

namespace strata::io {
namespace {

constexpr std::uint64_t kStart = 1;        // SessionLog.START
constexpr std::uint64_t kString = 7;       // DT_STRING
constexpr std::uint64_t kTensorClass = 2;  // DATA_CLASS_TENSOR

template <class Integer>
void add_little_endian(std::string& to, Integer value) {
  for (std::size_t i = 0; i < sizeof value; ++i) to += static_cast<char>(value >> (8 * i) & 0xFFU);
}

void add_varint(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80U);
  to += static_cast<char>(value);
}

// A field begins with its number and how it is stored (wire type).
enum class Wire : std::uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void add_key(std::string& to, std::uint32_t field, Wire wire) {
  add_varint(to, field << 3 | static_cast<std::uint32_t>(wire));
}

void add_integer(std::string& to, std::uint32_t field, std::uint64_t value) {
  add_key(to, field, Wire::varint);
  add_varint(to, value);
}

void add_bytes(std::string& to, std::uint32_t field, std::string_view value) {
  add_key(to, field, Wire::bytes);
  add_varint(to, value.size());
  to += value;
}

float as_f32(double value) {
  if (std::isfinite(value) && std::abs(value) > std::numeric_limits<float>::max())
    return std::copysign(std::numeric_limits<float>::infinity(), static_cast<float>(value > 0 ? 1 : -1));
  return static_cast<float>(value);
}

// Event.wall_time and Event.step; 0 is what an absent step means.
std::string begin_event(double wall_time, std::int64_t step) {
  std::string event;
  add_key(event, 1, Wire::fixed64);
  add_little_endian(event, std::bit_cast<std::uint64_t>(wall_time));
  if (step != 0) add_integer(event, 2, static_cast<std::uint64_t>(step));
  return event;
}

// SummaryMetadata: plugin_data.plugin_name, data_class.
std::string text_metadata() {
  std::string plugin, metadata;
  add_bytes(plugin, 1, "text");
  add_bytes(metadata, 1, plugin);
  add_integer(metadata, 4, kTensorClass);
  return metadata;
}

// TensorProto: dtype, tensor_shape of one dim of size 1, string_val.
std::string text_tensor(std::string_view text) {
  std::string dim, shape, tensor;
  add_integer(dim, 1, 1);
  add_bytes(shape, 2, dim);
  add_integer(tensor, 1, kString);
  add_bytes(tensor, 2, shape);
  add_bytes(tensor, 8, text);
  return tensor;
}

}  // namespace

void SummaryBytes::add_scalar(std::string_view tag, double value) {
  std::string entry;
  add_bytes(entry, 1, tag);
  add_key(entry, 2, Wire::fixed32);
  add_little_endian(entry, std::bit_cast<std::uint32_t>(as_f32(value)));
  add_bytes(bytes_, 1, entry);
}

void SummaryBytes::add_text(std::string_view tag, std::string_view markdown) {
  std::string entry;
  add_bytes(entry, 1, tag);
  add_bytes(entry, 8, text_tensor(markdown));
  add_bytes(entry, 9, text_metadata());
  add_bytes(bytes_, 1, entry);
}

std::string version_event(double wall_time) {
  std::string event = begin_event(wall_time, 0);
  add_bytes(event, 3, "brain.Event:2");
  return event;
}

std::string session_start_event(double wall_time, std::int64_t step) {
  std::string log, event = begin_event(wall_time, step);
  add_integer(log, 1, kStart);
  add_bytes(event, 7, log);
  return event;
}

std::string summary_event(double wall_time, std::int64_t step, const SummaryBytes& summary) {
  std::string event = begin_event(wall_time, step);
  add_bytes(event, 5, summary.bytes());
  return event;
}

std::string tf_record(std::string_view data) {
  std::string record;
  record.reserve(data.size() + 16);
  add_little_endian(record, std::uint64_t{data.size()});
  add_little_endian(record, masked_crc32c(record));
  record += data;
  add_little_endian(record, masked_crc32c(data));
  return record;
}

}  // namespace strata::io
