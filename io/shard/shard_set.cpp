// SPDX-License-Identifier: Apache-2.0
#include "io/shard/shard_set.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "io/hdf5/checksum.hpp"
#include "io/shard/manifest.hpp"
#include "io/shard/voxel_reader.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/together.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::array kModes{ReadMode::probe, ReadMode::direct, ReadMode::independent, ReadMode::collective};

// Each shard is read by one rank.
SetTables gather_tables(const std::string& folder, const std::vector<ShardSummary>& shards, comm::Communicator& comm) {
  std::string mine;
  comm::together(comm, [&] {
    for (auto at = static_cast<std::size_t>(comm.rank()); at < shards.size();
         at += static_cast<std::size_t>(comm.size())) {
      const InputFile file("shard", (std::filesystem::path(folder) / shards[at].file).string());
      const ShardContents contents = read_shard(file);
      STRATA_CHECK(contents.header.tables_checksum == shards[at].tables_checksum &&
                       static_cast<std::int64_t>(contents.header.bytes) == shards[at].bytes,
                   data, "shard",
                   fmt::format("{} is not the file that the manifest lists", printable(file.path(), 400)),
                   "the set was changed after its manifest was written: ingest it again");
      mine += pack_shard(static_cast<std::int64_t>(at), contents);
    }
  });
  return SetTables(comm::gather_texts(comm, mine), static_cast<std::int64_t>(shards.size()));
}

class OpenSet final : public ShardSet {
 public:
  OpenSet(const std::string& path, const std::string& folder, const ShardOptions& options, Manifest manifest,
          comm::Communicator& comm)
      : name_(path),
        shards_(std::move(manifest.shards)),
        tables_(gather_tables(folder, shards_, comm)),
        place_{folder, &shards_, &tables_, std::max<std::int64_t>(options.open_files, 1)},
        verify_(options.verify),
        mode_(options.mode == ReadMode::probe ? probe_readers(place_, comm) : options.mode),
        reader_(make_reader(comm)) {}

  const std::string& name() const override { return name_; }
  std::int64_t studies() const override { return tables_.studies(); }
  const study::StoredGrid& grid() const override { return tables_.description().grid; }
  const std::vector<std::string>& label_names() const override { return tables_.description().label_names; }
  std::int64_t scans(std::int64_t study) const override { return tables_.scans(checked(study)); }
  std::string_view key(std::int64_t study) const override { return tables_.key(checked(study)); }
  std::string_view split(std::int64_t study) const override { return tables_.split(checked(study)); }
  std::int64_t fold(std::int64_t study) const override { return tables_.fold(checked(study)); }
  std::span<const float> labels(std::int64_t study) const override { return tables_.labels(checked(study)); }
  std::vector<std::string> report(std::int64_t study) const override { return tables_.report(checked(study)); }
  bool collective() const override { return mode_ == ReadMode::collective; }
  void read(std::span<const data::ReadRequest> requests) const override;

  const std::string& profile() const override { return tables_.description().profile; }
  const std::vector<ShardSummary>& shards() const override { return shards_; }
  ReadMode mode() const override { return mode_; }
  std::optional<std::int64_t> find(std::string_view key) const override { return tables_.find(key); }
  std::int64_t shard_of(std::int64_t study) const override { return tables_.shard_of(checked(study)); }
  std::string_view patient(std::int64_t study) const override { return tables_.patient(checked(study)); }
  ScanRecord record(std::int64_t study, std::int64_t scan) const override;
  std::vector<std::string> damaged_scans(std::int64_t shard) const override;

 private:
  std::unique_ptr<VoxelReader> make_reader(comm::Communicator& comm) const {
    if (mode_ == ReadMode::direct) return make_direct_reader(place_);
    return mode_ == ReadMode::independent ? make_independent_reader(place_) : make_collective_reader(place_, comm);
  }
  std::int64_t checked(std::int64_t study) const {
    STRATA_CHECK(study >= 0 && study < tables_.studies(), usage, "shard",
                 fmt::format("there is no study {} among {} in {}", study, tables_.studies(), printable(name_, 400)));
    return study;
  }
  void check(const data::ReadRequest& request) const;
  void read_verified(std::span<const data::ReadRequest> requests) const;
  void check_scan(std::int64_t study, std::int64_t scan, std::span<const std::byte> voxels) const;

  std::string name_;
  std::vector<ShardSummary> shards_;
  SetTables tables_;
  SetPlace place_;
  bool verify_;
  ReadMode mode_;
  std::unique_ptr<VoxelReader> reader_;
};

void OpenSet::check(const data::ReadRequest& request) const {
  const auto& grid = tables_.description().grid;
  const std::int64_t scans = tables_.scans(checked(request.study)), depth = grid.extents[0];
  STRATA_CHECK(request.scan >= 0 && request.scan < scans, usage, "shard",
               fmt::format("study {} has no scan {} among {}", request.study, request.scan, scans));
  STRATA_CHECK(
      request.first_slice >= 0 && request.slices > 0 && request.first_slice <= depth - request.slices, usage, "shard",
      fmt::format("slices [{}, {} + {}) of {}", request.first_slice, request.first_slice, request.slices, depth));
  const std::int64_t bytes = grid.scan_bytes() / depth * request.slices;
  STRATA_CHECK(static_cast<std::int64_t>(request.into.size()) == bytes, usage, "shard",
               fmt::format("{} slices are {} bytes, room is for {}", request.slices, bytes, request.into.size()));
}

void OpenSet::read(std::span<const data::ReadRequest> requests) const {
  for (const auto& request : requests) check(request);
  if (verify_) return read_verified(requests);
  reader_->read(requests);
}

// A checksum is of a whole scan: of parts the whole is read.
void OpenSet::read_verified(std::span<const data::ReadRequest> requests) const {
  const auto& grid = tables_.description().grid;
  const auto scan_bytes = static_cast<std::size_t>(grid.scan_bytes());
  const auto channels = static_cast<std::size_t>(grid.channels);
  std::vector<std::vector<std::byte>> wholes(requests.size());
  std::vector<data::ReadRequest> whole(requests.begin(), requests.end());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (whole[i].slices == grid.extents[0]) continue;
    wholes[i].resize(scan_bytes);
    whole[i] = {whole[i].study, whole[i].scan, 0, grid.extents[0], wholes[i]};
  }
  reader_->read(whole);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    check_scan(whole[i].study, whole[i].scan, whole[i].into);
    if (wholes[i].empty()) continue;
    const std::size_t bytes = requests[i].into.size() / channels, channel = scan_bytes / channels,
                      first = channel / static_cast<std::size_t>(grid.extents[0]) *
                              static_cast<std::size_t>(requests[i].first_slice);
    for (std::size_t c = 0; c < channels; ++c)
      std::ranges::copy(std::span(wholes[i]).subspan(c * channel + first, bytes),
                        requests[i].into.begin() + static_cast<std::ptrdiff_t>(c * bytes));
  }
}

void OpenSet::check_scan(std::int64_t study, std::int64_t scan, std::span<const std::byte> voxels) const {
  STRATA_CHECK(checksum_of(voxels) == tables_.checksum(study, scan), data, "shard",
               fmt::format("{}: the checksum of {} is wrong", printable(place_.path(tables_.shard_of(study)), 400),
                           place_.scan_name(study, scan)),
               "the file is damaged: ingest this shard again");
}

ScanRecord OpenSet::record(std::int64_t study, std::int64_t scan) const {
  STRATA_CHECK(scan >= 0 && scan < tables_.scans(checked(study)), usage, "shard",
               fmt::format("study {} has no scan {} among {}", study, scan, tables_.scans(study)));
  const ShardTables tables = read_shard(InputFile("shard", place_.path(tables_.shard_of(study)))).tables;
  const auto s = static_cast<std::size_t>(tables_.place(study, scan));
  ScanRecord record{.series = tables.series.at(s),
                    .modality = tables.modality.at(s),
                    .window = tables.window.at(s),
                    .instances = {tables.instances.begin() + tables.first_instance.at(s),
                                  tables.instances.begin() + tables.first_instance.at(s + 1)},
                    .geometry = {.extents = grid().extents, .origin = {}, .steps = {}},
                    .intensity = {},
                    .description_hash = tables.description_hash.at(s),
                    .checksum = tables.checksum.at(s),
                    .source_slices = tables.source_slices.at(s),
                    .missing_slices = tables.missing_slices.at(s)};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    record.geometry.origin[axis] = tables.origin.at(s * 3 + axis);
    for (std::size_t of = 0; of < 3; ++of) record.geometry.steps[of][axis] = tables.steps.at(s * 9 + of * 3 + axis);
  }
  const auto channels = static_cast<std::size_t>(grid().channels);
  for (std::size_t c = 0; c < channels; ++c)
    record.intensity.push_back(
        {tables.intensity_scale.at(s * channels + c), tables.intensity_offset.at(s * channels + c)});
  return record;
}

std::vector<std::string> OpenSet::damaged_scans(std::int64_t shard) const {
  STRATA_CHECK(shard >= 0 && shard < static_cast<std::int64_t>(shards_.size()), usage, "shard",
               fmt::format("there is no shard {} among {}", shard, shards_.size()));
  const auto direct = make_direct_reader(place_);
  std::vector<std::byte> voxels(static_cast<std::size_t>(grid().scan_bytes()));
  std::vector<std::string> damaged;
  for (auto study = tables_.first_study(shard); study < tables_.first_study(shard + 1); ++study) {
    for (std::int64_t scan = 0; scan < tables_.scans(study); ++scan) {
      const data::ReadRequest request{study, scan, 0, grid().extents[0], voxels};
      direct->read({&request, 1});
      if (checksum_of(voxels) != tables_.checksum(study, scan)) damaged.push_back(place_.scan_name(study, scan));
    }
  }
  return damaged;
}

}  // namespace

std::string_view name_of(ReadMode mode) {
  switch (mode) {
    case ReadMode::probe: return "probe";
    case ReadMode::direct: return "direct";
    case ReadMode::independent: return "independent";
    case ReadMode::collective: return "collective";
  }
  return {};
}

ReadMode parse_read_mode(std::string_view name) {
  std::vector<std::string_view> names;
  for (const auto mode : kModes) {
    if (name_of(mode) == name) return mode;
    names.push_back(name_of(mode));
  }
  const auto near = nearest_name(name, names);
  fail(ErrorKind::usage, "shard", fmt::format("there is no way of reading called {}", printable(name)),
       near.empty() ? fmt::format("use one of: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

std::unique_ptr<ShardSet> open_shards(const std::string& path, const ShardOptions& options, comm::Communicator& comm) {
  const std::filesystem::path given(path);
  std::string text;
  bool single = false;
  comm::together(comm, [&] {
    single = std::filesystem::is_regular_file(given);
    if (comm.rank() == 0 && !single) text = read_manifest_text(path);
  });
  text = comm::broadcast_text(comm, std::move(text));
  if (!single)
    return std::make_unique<OpenSet>(path, path, options, parse_manifest(path + "/manifest.json", text), comm);
  Manifest alone;
  comm::together(comm, [&] { alone = manifest_of_shard(path); });
  return std::make_unique<OpenSet>(path, given.parent_path().string(), options, std::move(alone), comm);
}

}  // namespace strata::io
