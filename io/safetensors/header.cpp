// SPDX-License-Identifier: Apache-2.0
#include "io/safetensors/header.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>

#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

static_assert(std::endian::native == std::endian::little,
              "safetensors data is little-endian and is read without swapping");

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::string_view kDamaged =
    "the file is damaged or was not written by a safetensors library: fetch or export it again";

constexpr std::array<SafetensorsType, 15> kTypes{{{"F64", 8, DType::f64},
                                                  {"I64", 8, DType::i64},
                                                  {"U64", 8, {}},
                                                  {"F32", 4, DType::f32},
                                                  {"I32", 4, DType::i32},
                                                  {"U32", 4, {}},
                                                  {"BF16", 2, DType::bf16},
                                                  {"F16", 2, {}},
                                                  {"I16", 2, DType::i16},
                                                  {"U16", 2, {}},
                                                  {"U8", 1, DType::u8},
                                                  {"I8", 1, {}},
                                                  {"BOOL", 1, {}},
                                                  {"F8_E4M3", 1, {}},
                                                  {"F8_E5M2", 1, {}}}};

const SafetensorsType* find_type(std::string_view name) {
  const auto at = std::ranges::find(kTypes, name, &SafetensorsType::name);
  return at == kTypes.end() ? nullptr : at;
}

// Receives the JSON events of a header. nlohmann's event parser keeps its own stack on the heap, and ours ends at depth
// three, so nesting costs nothing. Everything unexpected throws.
class HeaderReader {
 public:
  explicit HeaderReader(const std::string& path) : path_(path) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_integer(std::int64_t) { return unexpected("a negative number"); }
  bool number_float(double, const std::string&) { return unexpected("a fraction or a number beyond 64 bits"); }
  bool binary(std::vector<std::uint8_t>&) { return unexpected("binary data"); }

  bool number_unsigned(std::uint64_t value) {
    if (place_ == Place::shape) {
      if (extents_.size() == kMaxDims) bad(fmt::format("{} has more than {} dimensions", tensor(), kMaxDims));
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
        bad(fmt::format("{} has an extent of {}", tensor(), value));
      extents_.push_back(static_cast<std::int64_t>(value));
    } else if (place_ == Place::offsets) {
      if (offsets_.size() == 2) bad(fmt::format("{} has more than two data_offsets", tensor()));
      offsets_.push_back(value);
    } else {
      return unexpected("a number");
    }
    return true;
  }

  bool string(std::string& value) {
    if (place_ == Place::metadata) {
      if (!header_.metadata.emplace(field_, std::move(value)).second)
        bad(fmt::format("the metadata key {} stands twice", printable(field_)));
    } else if (place_ == Place::tensor && field_ == "dtype") {
      if (find_type(value) == nullptr) unknown_type(value);
      entry_.type = std::move(value);
    } else {
      return unexpected("a string");
    }
    return true;
  }

  bool start_object(std::size_t) {
    if (place_ == Place::before) {
      place_ = Place::top;
    } else if (place_ == Place::top) {
      place_ = name_ == kMetadata ? Place::metadata : Place::tensor;
      if (place_ == Place::metadata && std::exchange(metadata_seen_, true)) bad("__metadata__ stands twice");
      entry_ = {};
      seen_ = {};
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool key(std::string& value) {
    if (place_ == Place::top) {
      name_ = std::move(value);
    } else {
      field_ = std::move(value);
      if (place_ == Place::tensor) note_field();
    }
    return true;
  }

  bool end_object() {
    if (place_ == Place::tensor) finish_tensor();
    place_ = place_ == Place::top ? Place::after : Place::top;
    return true;
  }

  bool start_array(std::size_t) {
    if (place_ != Place::tensor || field_ == "dtype") return unexpected("an array");
    place_ = field_ == "shape" ? Place::shape : Place::offsets;
    (place_ == Place::shape ? extents_.clear() : offsets_.clear());
    return true;
  }

  bool end_array() {
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) {
    bad(fmt::format("the header is not valid JSON at byte {}", position));
  }

 private:
  enum class Place { before, top, metadata, tensor, shape, offsets, after };
  static constexpr std::array<std::string_view, 3> kFields{"dtype", "shape", "data_offsets"};

  [[noreturn]] void bad(const std::string& what) const {
    fail(ErrorKind::data, "safetensors", fmt::format("{}: {}", printable(path_, 400), what), kDamaged);
  }

  [[noreturn]] void unknown_type(const std::string& type) const {
    std::array<std::string_view, kTypes.size()> names;
    std::ranges::transform(kTypes, names.begin(), &SafetensorsType::name);
    const auto near = type.size() < 64 ? nearest_name(type, names) : std::string_view();
    fail(ErrorKind::data, "safetensors",
         fmt::format("{}: {} has the unknown type {}", printable(path_, 400), tensor(), printable(type)),
         near.empty() ? std::string(kDamaged) : fmt::format("did the writer mean {}?", near));
  }

  std::string tensor() const { return fmt::format("tensor {}", printable(name_)); }

  bool unexpected(std::string_view what) const {
    switch (place_) {
      case Place::before:
      case Place::after: bad(fmt::format("the header is {}, not an object", what));
      case Place::top: bad(fmt::format("{} is {}, not an object", printable(name_), what));
      case Place::metadata: bad(fmt::format("the metadata key {} is {}, not a string", printable(field_), what));
      case Place::tensor: bad(fmt::format("{}: {} is {}", tensor(), field_, what));
      case Place::shape: bad(fmt::format("{}: shape holds {}", tensor(), what));
      case Place::offsets: bad(fmt::format("{}: data_offsets holds {}", tensor(), what));
    }
    return false;
  }

  void note_field() {
    const auto at = std::ranges::find(kFields, field_);
    if (at == kFields.end()) bad(fmt::format("{} has the unknown field {}", tensor(), printable(field_)));
    if (std::exchange(seen_[static_cast<std::size_t>(at - kFields.begin())], true))
      bad(fmt::format("{}: {} stands twice", tensor(), field_));
  }

  void finish_tensor() {
    for (std::size_t i = 0; i < kFields.size(); ++i)
      if (!seen_[i]) bad(fmt::format("{} has no {}", tensor(), kFields[i]));
    if (offsets_.size() != 2) bad(fmt::format("{} has {} data_offsets instead of two", tensor(), offsets_.size()));
    const SafetensorsType& type = *find_type(entry_.type);
    entry_.name = name_;
    entry_.dtype = type.dtype;
    entry_.begin = offsets_[0];
    entry_.end = offsets_[1];
    const auto bytes = checked_bytes(extents_, type.size);
    if (!bytes) bad(fmt::format("{} of shape [{}] is larger than any memory", tensor(), fmt::join(extents_, ", ")));
    entry_.shape = Shape(std::span<const std::int64_t>(extents_));
    if (entry_.end < entry_.begin || entry_.end - entry_.begin != *bytes)
      bad(fmt::format("{} of {}{} takes {} bytes, but data_offsets are [{}, {}]", tensor(), entry_.type,
                      entry_.shape.str(), *bytes, entry_.begin, entry_.end));
    header_.entries.push_back(std::move(entry_));
  }

  const std::string& path_;
  SafetensorsHeader header_;
  Place place_ = Place::before;
  bool metadata_seen_ = false;
  std::string name_, field_;
  SafetensorsEntry entry_;
  std::array<bool, 3> seen_{};
  std::vector<std::int64_t> extents_;
  std::vector<std::uint64_t> offsets_;
};

[[noreturn]] void bad_layout(const std::string& path, const std::string& what) {
  fail(ErrorKind::data, "safetensors", fmt::format("{}: {}", printable(path, 400), what), kDamaged);
}

void check_names(const std::vector<SafetensorsEntry>& entries, const std::string& path) {
  std::vector<std::string_view> names;
  names.reserve(entries.size());
  for (const auto& entry : entries) names.push_back(entry.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) bad_layout(path, fmt::format("tensor {} stands twice", printable(*twice)));
}

// One tensor after the other, from the first data byte to the last.
void check_layout(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes, const std::string& path) {
  std::uint64_t expected = 0;
  for (const auto& entry : entries) {
    const auto range = fmt::format("tensor {} at bytes [{}, {})", printable(entry.name), entry.begin, entry.end);
    if (entry.end > data_bytes)
      bad_layout(path, fmt::format("{} ends outside the file, whose data has {} bytes", range, data_bytes));
    if (entry.begin < expected)
      bad_layout(path, fmt::format("{} overlaps the tensor before it, which ends at {}", range, expected));
    if (entry.begin > expected)
      bad_layout(path, fmt::format("{} leaves a hole: the tensor before it ends at {}", range, expected));
    expected = entry.end;
  }
  if (expected != data_bytes) bad_layout(path, fmt::format("{} bytes follow the last tensor", data_bytes - expected));
}

}  // namespace

std::span<const SafetensorsType> safetensors_types() { return kTypes; }

const SafetensorsType& safetensors_type(DType dtype) {
  return *std::ranges::find(kTypes, std::optional(dtype), &SafetensorsType::dtype);
}

SafetensorsHeader parse_header(std::string_view json, std::uint64_t data_bytes, const std::string& path) {
  // The parser would skip a byte order mark or blanks; the format does not allow them.
  if (json.empty() || json.front() != '{') bad_layout(path, "the header does not begin with '{'");
  HeaderReader reader(path);
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  SafetensorsHeader header = reader.take();
  check_names(header.entries, path);
  std::ranges::sort(header.entries, {},
                    [](const SafetensorsEntry& e) { return std::tuple(e.begin, e.end, std::string_view(e.name)); });
  check_layout(header.entries, data_bytes, path);
  return header;
}

std::string build_header(const SafetensorsHeader& header) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) json[std::string(kMetadata)] = header.metadata;
  for (const auto& entry : header.entries) {
    STRATA_CHECK(entry.name != kMetadata, usage, "safetensors", "a tensor may not be called '__metadata__'");
    json[entry.name] = {
        {"dtype", entry.type}, {"shape", entry.shape.extents()}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text;
  try {
    text = json.dump();
  } catch (const nlohmann::json::type_error&) {
    fail(ErrorKind::usage, "safetensors", "a name or a metadata value is not UTF-8");
  }
  text.append((8 - text.size() % 8) % 8, ' ');
  STRATA_CHECK(
      text.size() <= kLargestSafetensorsHeader, usage, "safetensors",
      fmt::format("the header would take {} bytes, the format allows {}", text.size(), kLargestSafetensorsHeader));
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>((text.size() >> (8 * i)) & 0xffu);
  return length + text;
}

}  // namespace strata::io
