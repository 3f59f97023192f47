// SPDX-License-Identifier: Apache-2.0
//
// write_shard: rank 0 gathers the tables and makes the file's skeleton, all ranks write their voxels at the addresses
// that follow from it, rank 0 gives the file its header and its name. Each step ends for all ranks alike (together).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "io/hdf5/checksum.hpp"
#include "io/hdf5/shared_file.hpp"
#include "io/shard/shard_file.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/pack.hpp"
#include "strata/comm/together.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

[[noreturn]] void refuse(const study::StoredStudy& study, const std::string& what) {
  fail(ErrorKind::usage, "shard", fmt::format("study {}: {}", printable(study.key), what));
}

void check_name(const study::StoredStudy& study, const std::string& name, std::string_view what) {
  if (name.size() <= kLongestName && name.find('\0') == std::string::npos) return;
  refuse(study, fmt::format("its {} {} is longer than {} bytes or holds a zero", what, printable(name), kLongestName));
}

void check_scan(const study::StoredStudy& study, const study::StoredScan& scan, const study::StoredGrid& grid) {
  if (scan.voxels.size() != static_cast<std::size_t>(grid.scan_bytes()) || scan.geometry.extents != grid.extents)
    refuse(study, fmt::format("a scan of {} bytes does not lie on the set's grid of {}", scan.voxels.size(),
                              grid.scan_bytes()));
  if (scan.intensity.size() != static_cast<std::size_t>(grid.channels))
    refuse(study, fmt::format("{} intensity maps for {} channels", scan.intensity.size(), grid.channels));
  check_name(study, scan.series, "series");
  check_name(study, scan.modality, "modality");
  check_name(study, scan.window, "window");
  for (const auto& instance : scan.instances) check_name(study, instance, "instance");
}

void check_study(const study::StoredStudy& study, const SetDescription& description) {
  check_name(study, study.key, "key");
  check_name(study, study.patient, "patient");
  check_name(study, study.split, "split");
  if (study.key.empty()) refuse(study, "it has no key");
  if (study.scans.empty()) refuse(study, "it has no scan");
  if (study.labels.size() != description.label_names.size())
    refuse(study, fmt::format("{} labels, the set has {}", study.labels.size(), description.label_names.size()));
  for (const auto& scan : study.scans) check_scan(study, scan, description.grid);
}

void check_description(const SetDescription& description) {
  const auto& grid = description.grid;
  const bool good = grid.channels > 0 && std::ranges::all_of(grid.extents, [](auto extent) { return extent > 0; }) &&
                    (grid.dtype == DType::u8 || grid.dtype == DType::i16);
  STRATA_CHECK(good, usage, "shard",
               fmt::format("no set can have {} channels of [{}, {}, {}] {}", grid.channels, grid.extents[0],
                           grid.extents[1], grid.extents[2], name_of(grid.dtype)),
               "extents are positive, voxels u8 or i16");
  for (const auto& name : description.label_names)
    STRATA_CHECK(!name.empty() && name.size() <= kLongestName && name.find('\0') == std::string::npos, usage, "shard",
                 fmt::format("{} is no name for a label", printable(name)));
}

// A study without its voxels.
struct Row {
  std::int64_t position = 0;
  study::StoredStudy study;
  std::vector<std::uint64_t> checksums;  // a scan
};

void pack_scan(comm::Packer& packer, const study::StoredScan& scan) {
  packer.put(scan.series);
  packer.put(scan.modality);
  packer.put(scan.window);
  packer.put(scan.instances);
  packer.put(scan.geometry);
  packer.put(scan.intensity);
  packer.put(scan.description_hash);
  packer.put(scan.source_slices);
  packer.put(scan.missing_slices);
  packer.put(checksum_of(scan.voxels));
}

std::string pack_rows(std::span<const study::StoredStudy> studies, std::span<const std::int64_t> positions) {
  comm::Packer packer;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    packer.put(positions[i]);
    packer.put(studies[i].key);
    packer.put(studies[i].patient);
    packer.put(studies[i].split);
    packer.put(studies[i].fold);
    packer.put(studies[i].report);
    packer.put(studies[i].labels);
    packer.put(studies[i].scans.size());
    for (const auto& scan : studies[i].scans) pack_scan(packer, scan);
  }
  return packer.take();
}

study::StoredScan unpack_scan(comm::Unpacker& from, std::vector<std::uint64_t>& checksums) {
  study::StoredScan scan;
  scan.series = from.get<std::string>();
  scan.modality = from.get<std::string>();
  scan.window = from.get<std::string>();
  scan.instances = from.get<std::vector<std::string>>();
  scan.geometry = from.get<study::Geometry>();
  scan.intensity = from.get<std::vector<study::IntensityMap>>();
  scan.description_hash = from.get<std::uint64_t>();
  scan.source_slices = from.get<std::int64_t>();
  scan.missing_slices = from.get<std::int64_t>();
  checksums.push_back(from.get<std::uint64_t>());
  return scan;
}

void unpack_rows(const std::string& packed, std::vector<Row>& rows) {
  comm::Unpacker from(packed);
  while (!from.done()) {
    Row row;
    row.position = from.get<std::int64_t>();
    row.study.key = from.get<std::string>();
    row.study.patient = from.get<std::string>();
    row.study.split = from.get<std::string>();
    row.study.fold = from.get<std::int64_t>();
    row.study.report = from.get<std::vector<std::string>>();
    row.study.labels = from.get<std::vector<float>>();
    const auto scans = from.get<std::size_t>();
    for (std::size_t i = 0; i < scans; ++i) row.study.scans.push_back(unpack_scan(from, row.checksums));
    rows.push_back(std::move(row));
  }
}

std::vector<Row> in_order(const std::vector<std::string>& packed) {
  std::vector<Row> rows;
  for (const auto& part : packed) unpack_rows(part, rows);
  std::ranges::sort(rows, {}, &Row::position);
  STRATA_CHECK(!rows.empty(), usage, "shard", "a shard holds one study at least");
  for (std::size_t i = 0; i < rows.size(); ++i)
    STRATA_CHECK(rows[i].position == static_cast<std::int64_t>(i), usage, "shard",
                 fmt::format("the positions of {} studies are not 0 to {}: {} stands at place {}", rows.size(),
                             rows.size() - 1, rows[i].position, i));
  return rows;
}

// Everything of the file but the voxels, in memory. Rank 0.
struct Skeleton {
  ShardHeader header;
  ShardTables tables;
  hdf5::SparseImage image;
};

Skeleton make_skeleton(const SetDescription& description, const std::vector<Row>& rows, const std::string& name) {
  Skeleton made;
  for (const auto& row : rows) made.tables.add(row.study, row.checksums);
  auto file = hdf5::File::create(made.image, name, kHeaderBytes);
  std::optional<std::uint64_t> at;
  {
    const auto voxels = write_tables(file, description, made.tables);
    at = voxels.address();
  }
  STRATA_CHECK(at.has_value(), internal, "shard", "HDF5 did not lay the voxels out in order");
  file.close();
  const auto scans = static_cast<std::uint64_t>(made.tables.scans());
  made.header = {.bytes = made.image.size(),
                 .voxels_at = *at,
                 .voxels_bytes = scans * static_cast<std::uint64_t>(description.grid.scan_bytes()),
                 .studies = made.tables.studies(),
                 .scans = made.tables.scans()};
  STRATA_CHECK(made.header.bytes - made.header.voxels_bytes <= kLargestTables, usage, "shard",
               fmt::format("the tables would take {} bytes", made.header.bytes - made.header.voxels_bytes),
               "put fewer studies into a shard");
  made.header.tables_checksum = tables_checksum(made.image, made.header);
  return made;
}

// What other ranks need of the skeleton.
struct Places {
  ShardHeader header;
  std::vector<std::int64_t> first_scan;  // by position
};

Places share_places(comm::Communicator& comm, const std::optional<Skeleton>& made) {
  comm::Packer packer;
  if (made) {
    packer.put(made->header);
    packer.put(made->tables.first_scan);
  }
  const std::string packed = comm::broadcast_text(comm, packer.take());
  comm::Unpacker from(packed);
  Places places;
  places.header = from.get<ShardHeader>();
  places.first_scan = from.get<std::vector<std::int64_t>>();
  return places;
}

void write_voxels(SharedFile& file, const Places& places, std::span<const study::StoredStudy> mine,
                  std::span<const std::int64_t> my_positions) {
  for (std::size_t i = 0; i < mine.size(); ++i) {
    auto scan = static_cast<std::uint64_t>(places.first_scan[static_cast<std::size_t>(my_positions[i])]);
    for (const auto& stored : mine[i].scans)
      file.write(places.header.voxels_at + scan++ * stored.voxels.size(), stored.voxels);
  }
}

void check_mine(const SetDescription& description, std::span<const study::StoredStudy> mine,
                std::span<const std::int64_t> my_positions) {
  check_description(description);
  STRATA_CHECK(mine.size() == my_positions.size(), usage, "shard",
               fmt::format("{} positions for {} studies", my_positions.size(), mine.size()));
  for (const auto& study : mine) check_study(study, description);
}

}  // namespace

ShardSummary write_shard(comm::Communicator& comm, const std::string& folder, std::int64_t number,
                         const SetDescription& description, std::span<const study::StoredStudy> mine,
                         std::span<const std::int64_t> my_positions) {
  const bool root = comm.rank() == 0;
  const std::string name = shard_file(number), path = folder + "/" + name;
  const std::string temporary = folder + "/." + name + ".tmp";

  std::vector<std::string> packed(static_cast<std::size_t>(comm.size()));
  comm::together(comm, [&] {
    check_mine(description, mine, my_positions);
    packed[0] = pack_rows(mine, my_positions);
  });
  packed = comm::exchange_texts(comm, packed);

  std::optional<Skeleton> made;
  std::optional<SharedFile> file;
  comm::together(comm, [&] {
    if (!root) return;
    made = make_skeleton(description, in_order(packed), name);
    file.emplace(SharedFile::create("shard", temporary, made->header.bytes));
    made->image.visit_written([&](std::uint64_t at, std::span<const std::byte> bytes) { file->write(at, bytes); });
  });
  const Places places = share_places(comm, made);

  comm::together(comm, [&] {
    if (!root && mine.empty()) return;
    if (!root) file.emplace(SharedFile::join("shard", temporary));
    write_voxels(*file, places, mine, my_positions);
    file->flush();
  });
  comm::together(comm, [&] {
    if (!root) return;
    const std::string header = write_header(places.header);
    file->write(0, std::as_bytes(std::span(header)));
    file->rename(path);
  });
  return {.number = number,
          .file = name,
          .studies = places.header.studies,
          .scans = places.header.scans,
          .bytes = static_cast<std::int64_t>(places.header.bytes),
          .tables_checksum = places.header.tables_checksum};
}

}  // namespace strata::io
