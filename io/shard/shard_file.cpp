// SPDX-License-Identifier: Apache-2.0
#include "io/shard/shard_file.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "io/hdf5/checksum.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::string_view kMagic = "strata shard\n";

[[noreturn]] void damaged(const InputFile& file, std::string_view what, std::string_view hint = {}) {
  fail(ErrorKind::data, "shard", fmt::format("{}: {}", printable(file.path(), 400), what),
       hint.empty() ? "the file is damaged: ingest this shard again" : hint);
}

std::uint64_t natural(const InputFile& file, const nlohmann::json& json, const char* name) {
  const auto& value = json.at(name);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() >> 62 != 0)
    damaged(file, fmt::format("the header's {} is no count", name));
  return value.get<std::uint64_t>();
}

ShardHeader parse(const InputFile& file, std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    ShardHeader header{.schema = static_cast<std::int64_t>(natural(file, json, "schema"))};
    STRATA_CHECK(header.schema == kShardSchema, data, "shard",
                 fmt::format("{} has schema version {}, this build reads version {}", printable(file.path(), 400),
                             header.schema, kShardSchema),
                 "use the release of Strata that wrote it, or ingest again");
    header.bytes = natural(file, json, "bytes");
    header.voxels_at = natural(file, json, "voxels_at");
    header.voxels_bytes = natural(file, json, "voxels_bytes");
    header.studies = static_cast<std::int64_t>(natural(file, json, "studies"));
    header.scans = static_cast<std::int64_t>(natural(file, json, "scans"));
    const auto checksum = parse_hex(json.at("tables_xxh3").get<std::string>());
    if (!checksum) damaged(file, "the header's checksum is no checksum");
    header.tables_checksum = *checksum;
    return header;
  } catch (const nlohmann::json::exception&) {
    damaged(file, "the header cannot be read");
  }
}

void check_layout(const InputFile& file, const ShardHeader& header) {
  if (header.bytes != file.size())
    damaged(file, fmt::format("it has {} bytes, its header says {}", file.size(), header.bytes),
            "the file was cut off or changed: copy it again, or ingest this shard again");
  const bool inside = header.voxels_at >= kHeaderBytes && header.voxels_at <= header.bytes &&
                      header.voxels_bytes <= header.bytes - header.voxels_at;
  if (!inside) damaged(file, "the header places the voxels outside the file");
  const auto tables = header.bytes - header.voxels_bytes;
  if (tables > kLargestTables) damaged(file, fmt::format("{} bytes of tables are more than any shard has", tables));
}

// [begin, end) of the file into the image, in pieces.
void load(const InputFile& file, std::uint64_t begin, std::uint64_t end, hdf5::SparseImage& image) {
  std::vector<std::byte> piece(std::size_t{1} << 20);
  for (auto at = begin; at < end;) {
    const auto count = std::min<std::uint64_t>(piece.size(), end - at);
    file.read(at, std::span(piece).first(count));
    image.write(at, std::span(piece).first(count));
    at += count;
  }
}

hdf5::SparseImage load_tables(const InputFile& file, const ShardHeader& header) {
  hdf5::SparseImage image;
  load(file, 0, header.voxels_at, image);
  load(file, header.voxels_at + header.voxels_bytes, header.bytes, image);
  image.resize(header.bytes);
  if (tables_checksum(image, header) != header.tables_checksum) damaged(file, "the checksum of its tables is wrong");
  return image;
}

std::uint64_t table_limit(const ShardHeader& header) { return header.bytes - header.voxels_bytes; }

// The header's account of the voxels is the dataset's.
void check_voxels(const InputFile& file, const hdf5::File& tables, const ShardHeader& header,
                  const SetDescription& description) {
  const auto scan = static_cast<std::uint64_t>(description.grid.scan_bytes());
  const auto scans = static_cast<std::uint64_t>(scans_in(tables));
  if (scans > header.voxels_bytes / scan || scans * scan != header.voxels_bytes ||
      scans != static_cast<std::uint64_t>(header.scans))
    damaged(file, fmt::format("{} scans of {} bytes are not its {} bytes of voxels", scans, scan, header.voxels_bytes));
  const auto chunk = tables.facts("/voxels").chunk;
  const auto& extents = description.grid.extents;
  const bool slabs = chunk.size() == 5 && chunk[0] == 1 && chunk[1] == 1 &&
                     chunk[3] == static_cast<std::uint64_t>(extents[1]) &&
                     chunk[4] == static_cast<std::uint64_t>(extents[2]);
  if (!slabs || tables.dataset("/voxels").address() != header.voxels_at)
    damaged(file, "its voxels do not lie where the header says",
            "a shard is read in place: one that another program has repacked or compressed must be ingested again");
}

// Errors of what is inside name the file.
template <class Work>
auto naming(const InputFile& file, Work&& work) {
  try {
    return work();
  } catch (const Error& error) {
    if (error.message().find(printable(file.path(), 400)) != std::string::npos) throw;
    fail(error.kind(), error.subject(), fmt::format("{}: {}", printable(file.path(), 400), error.message()),
         error.hint(), error.where());
  }
}

// A scan's bytes without overflow: extents come from a file.
void check_scan_bytes(const InputFile& file, const study::StoredGrid& grid, const ShardHeader& header) {
  std::uint64_t bytes = size_of(grid.dtype);
  for (const auto extent : {grid.channels, grid.extents[0], grid.extents[1], grid.extents[2]}) {
    const auto factor = static_cast<std::uint64_t>(extent);
    if (bytes > header.voxels_bytes / factor) damaged(file, "one scan would be larger than all voxels");
    bytes *= factor;
  }
}

}  // namespace

std::string write_header(const ShardHeader& header) {
  const nlohmann::ordered_json json{{"schema", header.schema},
                                    {"bytes", header.bytes},
                                    {"voxels_at", header.voxels_at},
                                    {"voxels_bytes", header.voxels_bytes},
                                    {"studies", header.studies},
                                    {"scans", header.scans},
                                    {"tables_xxh3", hex_of(header.tables_checksum)}};
  std::string text = std::string(kMagic) + json.dump() + "\n";
  text.resize(kHeaderBytes, '\0');
  return text;
}

ShardHeader read_header(const InputFile& file) {
  std::string text(kHeaderBytes, '\0');
  if (file.size() < kHeaderBytes) damaged(file, fmt::format("{} bytes are too few for a shard", file.size()));
  file.read(0, std::as_writable_bytes(std::span(text)));
  if (!text.starts_with(kMagic)) damaged(file, "it does not begin like a shard", "shards are made by strata ingest");
  const auto end = text.find('\0');
  const ShardHeader header =
      parse(file, std::string_view(text).substr(kMagic.size(), end == text.npos ? end : end - kMagic.size()));
  check_layout(file, header);
  return header;
}

std::uint64_t tables_checksum(const hdf5::SparseImage& image, const ShardHeader& header) {
  Checksum checksum;
  const auto add = [&](std::uint64_t, std::span<const std::byte> bytes) { checksum.add(bytes); };
  image.visit(kHeaderBytes, header.voxels_at, add);
  image.visit(header.voxels_at + header.voxels_bytes, header.bytes, add);
  return checksum.value();
}

ShardHeader check_shard(const InputFile& file) {
  const ShardHeader header = read_header(file);
  load_tables(file, header);
  return header;
}

SetDescription read_shard_description(const InputFile& file) {
  const ShardHeader header = read_header(file);
  hdf5::SparseImage image = load_tables(file, header);
  return naming(file, [&] {
    const auto tables = hdf5::File::open(image, file.path());
    return read_description(tables, table_limit(header));
  });
}

ShardContents read_shard(const InputFile& file) {
  ShardContents contents;
  contents.header = read_header(file);
  hdf5::SparseImage image = load_tables(file, contents.header);
  return naming(file, [&] {
    const auto tables = hdf5::File::open(image, file.path());
    contents.description = read_description(tables, table_limit(contents.header));
    check_scan_bytes(file, contents.description.grid, contents.header);
    check_voxels(file, tables, contents.header, contents.description);
    contents.tables = read_tables(tables, contents.description, table_limit(contents.header));
    if (contents.tables.studies() != contents.header.studies) damaged(file, "its header counts other studies");
    return contents;
  });
}

}  // namespace strata::io
