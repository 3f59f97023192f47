// SPDX-License-Identifier: Apache-2.0
//
// The writing half of checkpoint_file.hpp. All that HDF5 writes shall lie around the tensors, so that a reader can
// check it before HDF5 believes it: HDF5 is given one block in front for its headers and indexes, tables come next,
// then the tensors, and behind them what HDF5 writes when it closes. Whether the block was large enough is seen
// afterwards; if not, it is made again with a larger one.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/checkpoint/checkpoint_file.hpp"
#include "io/checkpoint/names.hpp"
#include "io/hdf5/checksum.hpp"
#include "io/hdf5/file.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

void check_names(const CheckpointTable& table) {
  const auto check = [](const std::string& name, std::string_view what) {
    STRATA_CHECK(is_storable_name(name), usage, "checkpoint",
                 fmt::format("{} cannot be the name of a {}", printable(name), what),
                 "names have 1 to 1024 bytes, no slash, no zero, and are not a dot alone");
  };
  for (const auto& row : table.tensors) check(row.name, "tensor");
  for (const auto& [name, text] : table.texts) {
    check(name, "text");
    STRATA_CHECK(text.find('\0') == std::string::npos, usage, "checkpoint",
                 fmt::format("text {} holds a zero byte", printable(name)));
  }
}

hdf5::Extents extents_of(const Shape& shape) { return {shape.extents().begin(), shape.extents().end()}; }

void write_index(hdf5::File& file, CheckpointSkeleton& made) {
  const CheckpointTable& table = made.table;
  file.write_attribute("/", "format", std::string("strata checkpoint"));
  file.write_attribute("/", "schema", kCheckpointSchema);
  file.write_attribute("/", "step", table.step);
  file.write_attribute("/", "part_bytes", static_cast<std::int64_t>(kPartBytes));
  file.make_group("/index");
  std::vector<std::string> names, texts;
  for (const auto& row : table.tensors) names.push_back(row.name);
  for (const auto& [name, text] : table.texts) texts.push_back(name);
  file.write_texts("/index/tensors", names);
  file.write_texts("/index/texts", texts);
  file.make_group("/texts");
  for (const auto& [name, text] : table.texts) file.write_texts("/texts/" + name, {text});
  const auto checksums = file.make_array("/index/checksums", hdf5::Element::u64, {table.checksums.size()});
  made.checksums_at = checksums.address().value_or(0);
}

void place_tensors(hdf5::File& file, CheckpointTable& table) {
  file.make_group("/state");
  for (auto& row : table.tensors) {
    const std::string path = "/state/" + row.name;
    const auto set = file.make_array(path, element_of(row.dtype), extents_of(row.shape));
    if (row.dtype == DType::bf16) file.write_attribute(path, "dtype", std::string("bf16"));
    if (row.shape.numel() == 0) continue;
    const auto address = set.address();
    STRATA_CHECK(address.has_value(), internal, "checkpoint", "HDF5 did not lay a tensor out in one piece");
    row.address = *address;
  }
}

// Do the tensors lie in order, and nothing that HDF5 wrote between them?
bool tensors_lie_together(const CheckpointSkeleton& made) {
  const std::uint64_t begin = made.table.data_at, end = made.table.data_end;
  bool good = true;
  std::uint64_t next = begin;
  for (const auto& row : made.table.tensors) {
    if (row.shape.numel() == 0) continue;
    good = good && row.address >= next;
    next = row.address + row.bytes();
  }
  made.image.visit_written([&](std::uint64_t at, std::span<const std::byte> bytes) {
    const auto from = std::clamp(begin, at, at + bytes.size()) - at, to = std::clamp(end, at, at + bytes.size()) - at;
    good = good && std::ranges::all_of(bytes.subspan(from, to - from), [](std::byte b) { return b == std::byte{0}; });
  });
  return good;
}

CheckpointSkeleton build(const CheckpointTable& table, std::uint64_t front) {
  CheckpointSkeleton made{.table = table, .image = {}};
  auto file = hdf5::File::create(made.image, "checkpoint", kCheckpointHeader, front);
  write_index(file, made);
  place_tensors(file, made.table);
  file.close();
  std::uint64_t &begin = made.table.data_at, &end = made.table.data_end;
  made.table.bytes = begin = made.image.size();
  for (const auto& row : made.table.tensors) {
    if (row.shape.numel() == 0) continue;
    begin = std::min(begin, row.address);
    end = std::max(end, row.address + row.bytes());
  }
  end = std::max(end, begin);
  return made;
}

std::string header_of(const CheckpointTable& table, std::uint64_t tables_checksum) {
  const nlohmann::ordered_json json{{"schema", kCheckpointSchema},
                                    {"step", table.step},
                                    {"bytes", table.bytes},
                                    {"data_at", table.data_at},
                                    {"data_end", table.data_end},
                                    {"tensors", table.tensors.size()},
                                    {"tables_xxh3", hex_of(tables_checksum)}};
  std::string text = std::string(kCheckpointMagic) + json.dump() + "\n";
  text.resize(kCheckpointHeader, '\0');
  return text;
}

}  // namespace

CheckpointSkeleton make_skeleton(CheckpointTable table) {
  check_names(table);
  table.number_parts();
  std::uint64_t front = 4096;
  for (const auto& row : table.tensors) front += 512 + 2 * row.name.size();
  for (int tries = 0; tries < 8; ++tries, front *= 2) {
    CheckpointSkeleton made = build(table, front);
    if (!tensors_lie_together(made)) continue;
    const std::uint64_t tables = made.table.bytes - (made.table.data_end - made.table.data_at);
    STRATA_CHECK(tables <= kLargestCheckpointTables, usage, "checkpoint",
                 fmt::format("texts, names and checksums would take {} bytes", tables));
    return made;
  }
  fail(ErrorKind::internal, "checkpoint", "HDF5 does not lay its tables in front of the tensors");
}

CheckpointEnds ends_of(CheckpointSkeleton& skeleton) {
  const CheckpointTable& table = skeleton.table;
  const auto sums = std::as_bytes(std::span(table.checksums));
  if (!sums.empty()) skeleton.image.write(skeleton.checksums_at, sums);
  CheckpointEnds ends{std::string(table.data_at, '\0'), std::string(table.bytes - table.data_end, '\0')};
  const auto front = std::as_writable_bytes(std::span(ends.front)), back = std::as_writable_bytes(std::span(ends.back));
  skeleton.image.read(0, front);
  skeleton.image.read(table.data_end, back);
  Checksum checksum;
  checksum.add(front.subspan(kCheckpointHeader));
  checksum.add(back);
  const auto header = header_of(table, checksum.value());
  header.copy(ends.front.data(), header.size());
  return ends;
}

}  // namespace strata::io
