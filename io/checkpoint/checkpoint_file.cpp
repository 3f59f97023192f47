// SPDX-License-Identifier: Apache-2.0
#include "io/checkpoint/checkpoint_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/checkpoint/checkpoint.hpp"
#include "io/checkpoint/names.hpp"
#include "io/hdf5/checksum.hpp"
#include "io/hdf5/file.hpp"
#include "strata/base/error.hpp"
#include "strata/io/host_copy.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

struct Header {
  std::uint64_t step = 0, bytes = 0, data_at = 0, data_end = 0, tensors = 0, tables_checksum = 0;
};

[[noreturn]] void damaged(const InputFile& file, std::string_view what) {
  fail(ErrorKind::data, "checkpoint", fmt::format("{}: {}", printable(file.path(), 400), what));
}

std::uint64_t natural(const InputFile& file, const nlohmann::json& json, const char* name) {
  const auto& value = json.at(name);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() >> 62 != 0)
    damaged(file, fmt::format("the header's {} is no count", name));
  return value.get<std::uint64_t>();
}

Header parse(const InputFile& file, std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    const auto schema = natural(file, json, "schema");
    if (schema != static_cast<std::uint64_t>(kCheckpointSchema))
      damaged(file, fmt::format("schema version {}, this build reads version {}", schema, kCheckpointSchema));
    const auto checksum = parse_hex(json.at("tables_xxh3").get<std::string>());
    if (!checksum) damaged(file, "the header's checksum is no checksum");
    return {.step = natural(file, json, "step"),
            .bytes = natural(file, json, "bytes"),
            .data_at = natural(file, json, "data_at"),
            .data_end = natural(file, json, "data_end"),
            .tensors = natural(file, json, "tensors"),
            .tables_checksum = *checksum};
  } catch (const nlohmann::json::exception&) {
    damaged(file, "the header cannot be read");
  }
}

std::uint64_t tables_bytes(const Header& header) { return header.bytes - (header.data_end - header.data_at); }

Header read_header(const InputFile& file) {
  std::string text(kCheckpointHeader, '\0');
  if (file.size() < kCheckpointHeader) damaged(file, fmt::format("{} bytes are too few for one", file.size()));
  file.read(0, std::as_writable_bytes(std::span(text)));
  if (!text.starts_with(kCheckpointMagic)) damaged(file, "it does not begin like a checkpoint");
  const auto end = text.find('\0');
  const Header header = parse(
      file,
      std::string_view(text).substr(kCheckpointMagic.size(), end == text.npos ? end : end - kCheckpointMagic.size()));
  if (header.bytes != file.size())
    damaged(file,
            fmt::format("it has {} bytes, its header says {}: it was cut off or changed", file.size(), header.bytes));
  const bool inside = header.data_at >= kCheckpointHeader && header.data_at <= header.data_end &&
                      header.data_end <= header.bytes && tables_bytes(header) <= kLargestCheckpointTables;
  if (!inside) damaged(file, "the header places the tensors outside the file");
  return header;
}

hdf5::SparseImage load_tables(const InputFile& file, const Header& header) {
  std::vector<std::byte> front(header.data_at - kCheckpointHeader), back(header.bytes - header.data_end);
  file.read(kCheckpointHeader, front);
  file.read(header.data_end, back);
  Checksum checksum;
  checksum.add(front);
  checksum.add(back);
  if (checksum.value() != header.tables_checksum) damaged(file, "the checksum of its tables is wrong");
  hdf5::SparseImage image;
  image.write(kCheckpointHeader, front);
  image.write(header.data_end, back);
  image.resize(header.bytes);
  return image;
}

std::vector<std::string> read_list(const hdf5::File& tables, const std::string& path, std::uint64_t limit) {
  const auto facts = tables.facts(path);
  const std::uint64_t count = facts.extents.size() == 1 ? facts.extents[0] : 0;
  STRATA_CHECK(facts.extents.size() == 1 && count <= limit && facts.text_width <= kLongestTensorName, data,
               "checkpoint", fmt::format("{} is no list of names", path));
  STRATA_CHECK(count * facts.text_width <= limit, data, "checkpoint", fmt::format("{} is too long", path));
  auto names = tables.read_texts(path, count, kLongestTensorName);
  for (std::size_t i = 0; i < names.size(); ++i)
    STRATA_CHECK(is_storable_name(names[i]) && (i == 0 || names[i - 1] < names[i]), data, "checkpoint",
                 fmt::format("{} holds the name {}", path, printable(names[i])));
  return names;
}

DType stored_dtype(const hdf5::File& tables, const std::string& path, const hdf5::DatasetFacts& facts) {
  std::optional<DType> dtype;
  if (facts.element) dtype = dtype_of_element(*facts.element);
  if (facts.element == hdf5::Element::u16 && tables.read_text(path, "dtype", 16) == "bf16") dtype = DType::bf16;
  STRATA_CHECK(dtype.has_value(), data, "checkpoint", fmt::format("{} has no type of a tensor", printable(path)));
  return *dtype;
}

Shape stored_shape(const std::string& path, const hdf5::DatasetFacts& facts, DType dtype) {
  const std::vector<std::int64_t> extents(facts.extents.begin(), facts.extents.end());
  const bool good = extents.size() <= static_cast<std::size_t>(kMaxDims) &&
                    std::ranges::all_of(extents, [](auto extent) { return extent >= 0; }) &&
                    checked_bytes(extents, size_of(dtype)).has_value();
  STRATA_CHECK(good, data, "checkpoint", fmt::format("{} has no shape of a tensor", printable(path)));
  return Shape(std::span<const std::int64_t>(extents));
}

// Behind `end`, within the file.
TensorRow read_row(const hdf5::File& tables, const std::string& name, const Header& header, std::uint64_t end) {
  const std::string path = "/state/" + name;
  const auto set = tables.dataset(path);
  const auto facts = set.facts();
  TensorRow row{.name = name, .dtype = stored_dtype(tables, path, facts)};
  row.shape = stored_shape(path, facts, row.dtype);
  if (row.shape.numel() == 0) return row;
  const auto address = set.address();
  STRATA_CHECK(address && *address >= end && *address <= header.data_end && row.bytes() <= header.data_end - *address,
               data, "checkpoint", fmt::format("{} does not lie where a tensor of a checkpoint lies", printable(path)),
               "a checkpoint is read in place: one that another program has repacked or compressed cannot be read");
  row.address = *address;
  return row;
}

CheckpointTable read_all(const hdf5::File& tables, const Header& header) {
  STRATA_CHECK(tables.read_text("/", "format", 64) == "strata checkpoint" &&
                   tables.read_integer("/", "schema") == kCheckpointSchema &&
                   tables.read_integer("/", "part_bytes") == static_cast<std::int64_t>(kPartBytes) &&
                   tables.read_integer("/", "step") == static_cast<std::int64_t>(header.step),
               data, "checkpoint", "its attributes and its header disagree");
  CheckpointTable table{.step = static_cast<std::int64_t>(header.step),
                        .bytes = header.bytes,
                        .data_at = header.data_at,
                        .data_end = header.data_end};
  std::uint64_t end = header.data_at;
  for (const auto& name : read_list(tables, "/index/tensors", tables_bytes(header))) {
    table.tensors.push_back(read_row(tables, name, header, end));
    if (table.tensors.back().address > 0) end = table.tensors.back().address + table.tensors.back().bytes();
  }
  STRATA_CHECK(table.tensors.size() == header.tensors, data, "checkpoint", "its header counts other tensors");
  table.number_parts();
  table.checksums = tables.read<std::uint64_t>("/index/checksums", {table.checksums.size()});
  for (const auto& name : read_list(tables, "/index/texts", tables_bytes(header)))
    table.texts[name] = tables.read_texts("/texts/" + name, 1, tables_bytes(header)).front();
  return table;
}

}  // namespace

bool is_checkpoint_file(const std::string& path) {
  const InputFile file("checkpoint", path);
  std::string text(kCheckpointMagic.size(), '\0');
  if (file.size() < text.size()) return false;
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text == kCheckpointMagic;
}

CheckpointTable read_checkpoint_table(const InputFile& file) {
  const Header header = read_header(file);
  hdf5::SparseImage image = load_tables(file, header);
  const auto tables = hdf5::File::open(image, file.path());
  return read_all(tables, header);
}

}  // namespace strata::io
