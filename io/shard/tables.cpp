// SPDX-License-Identifier: Apache-2.0
#include "io/shard/tables.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

constexpr std::uint64_t kLargestChunk = 4U << 20;
constexpr std::size_t kLongestFormat = 32;
constexpr const char* kFormat = "strata shard";

std::uint64_t u(std::int64_t value) { return static_cast<std::uint64_t>(value); }

template <class T>
void append(std::vector<T>& to, const auto& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// As many whole slices as 4 MiB hold, and divide the scan evenly: chunks one behind the other are then the scan.
std::uint64_t slices_a_chunk(const study::StoredGrid& grid) {
  const auto depth = u(grid.extents[0]);
  const std::uint64_t slice = u(grid.extents[1]) * u(grid.extents[2]) * size_of(grid.dtype);
  std::uint64_t slices = std::clamp<std::uint64_t>(kLargestChunk / slice, 1, depth);
  while (depth % slices != 0) --slices;
  return slices;
}

hdf5::Element element_of(DType dtype) { return dtype == DType::u8 ? hdf5::Element::u8 : hdf5::Element::i16; }

void add_scan(ShardTables& tables, const study::StoredScan& scan, std::uint64_t checksum) {
  tables.series.push_back(scan.series);
  tables.modality.push_back(scan.modality);
  tables.window.push_back(scan.window);
  tables.description_hash.push_back(scan.description_hash);
  tables.checksum.push_back(checksum);
  tables.source_slices.push_back(scan.source_slices);
  tables.missing_slices.push_back(scan.missing_slices);
  append(tables.instances, scan.instances);
  tables.first_instance.push_back(static_cast<std::int64_t>(tables.instances.size()));
  append(tables.origin, scan.geometry.origin);
  for (const auto& step : scan.geometry.steps) append(tables.steps, step);
  for (const auto& map : scan.intensity) {
    tables.intensity_scale.push_back(map.scale);
    tables.intensity_offset.push_back(map.offset);
  }
}

void write_studies(hdf5::File& file, const ShardTables& tables, std::uint64_t label_count) {
  const std::uint64_t n = u(tables.studies());
  file.make_group("/studies");
  file.write_texts("/studies/key", tables.key);
  file.write_texts("/studies/patient", tables.patient);
  file.write_texts("/studies/split", tables.split);
  file.write("/studies/fold", tables.fold, {n});
  file.write("/studies/labels", tables.labels, {n, label_count});
  file.write("/studies/first_scan", tables.first_scan, {n + 1});
  file.write("/studies/first_sentence", tables.first_sentence, {n + 1});
  file.make_group("/sentences");
  file.write("/sentences/first_byte", tables.first_byte, {tables.first_byte.size()});
  file.write("/sentences/text", tables.text, {tables.text.size()});
}

void write_scans(hdf5::File& file, const ShardTables& tables, std::uint64_t channels) {
  const std::uint64_t s = u(tables.scans());
  file.make_group("/scans");
  file.write_texts("/scans/series", tables.series);
  file.write_texts("/scans/modality", tables.modality);
  file.write_texts("/scans/window", tables.window);
  file.write("/scans/description_hash", tables.description_hash, {s});
  file.write("/scans/checksum", tables.checksum, {s});
  file.write("/scans/source_slices", tables.source_slices, {s});
  file.write("/scans/missing_slices", tables.missing_slices, {s});
  file.write("/scans/origin", tables.origin, {s, 3});
  file.write("/scans/steps", tables.steps, {s, 3, 3});
  file.write("/scans/intensity_scale", tables.intensity_scale, {s, channels});
  file.write("/scans/intensity_offset", tables.intensity_offset, {s, channels});
  file.write("/scans/first_instance", tables.first_instance, {s + 1});
  file.make_group("/instances");
  file.write_texts("/instances/key", tables.instances);
}

[[noreturn]] void damaged(const std::string& what) {
  fail(ErrorKind::data, "shard", what, "the file is damaged or was made by another program");
}

void check_rows(std::uint64_t rows, std::uint64_t row_bytes, std::uint64_t limit, const std::string& path) {
  if (rows > limit / row_bytes) damaged(fmt::format("{} would have {} rows, more than its file holds", path, rows));
}

// Reads columns whose sizes follow from others, each bounded before anything is allocated.
class ColumnReader {
 public:
  ColumnReader(const hdf5::File& file, std::uint64_t limit) : file_(file), limit_(limit) {}

  std::uint64_t rows(const std::string& path) const {
    const auto facts = file_.facts(path);
    if (facts.extents.size() != 1) damaged(fmt::format("{} has {} axes, not 1", path, facts.extents.size()));
    check_rows(facts.extents[0], 1, limit_, path);
    return facts.extents[0];
  }
  template <class T>
  std::vector<T> column(const std::string& path, const hdf5::Extents& extents) const {
    std::uint64_t row = sizeof(T);
    for (std::size_t axis = 1; axis < extents.size(); ++axis) row *= std::max<std::uint64_t>(extents[axis], 1);
    check_rows(extents[0], row, limit_, path);
    return file_.read<T>(path, extents);
  }
  std::vector<std::string> texts(const std::string& path, std::uint64_t count) const {
    check_rows(count, std::max<std::uint64_t>(file_.facts(path).text_width, 1), limit_, path);
    return file_.read_texts(path, count, kLongestName);
  }
  // Where the parts of `parts` rows begin, and the end: from 0 to `total`, never falling; `each` at least.
  std::vector<std::int64_t> offsets(const std::string& path, std::uint64_t parts, std::uint64_t total,
                                    std::int64_t each) const {
    auto first = column<std::int64_t>(path, {parts + 1});
    bool good = first.front() == 0 && u(first.back()) == total;
    for (std::size_t i = 0; i + 1 < first.size(); ++i) good = good && first[i] <= first[i + 1] - each;
    if (!good) damaged(fmt::format("{} does not divide {} rows into {} parts", path, total, parts));
    return first;
  }

 private:
  const hdf5::File& file_;
  std::uint64_t limit_;
};

void read_studies(const ColumnReader& reader, std::uint64_t label_count, std::uint64_t scans, ShardTables& tables) {
  const std::uint64_t n = reader.rows("/studies/key");
  if (n == 0) damaged("it holds no study");
  tables.key = reader.texts("/studies/key", n);
  tables.patient = reader.texts("/studies/patient", n);
  tables.split = reader.texts("/studies/split", n);
  tables.fold = reader.column<std::int64_t>("/studies/fold", {n});
  tables.labels = reader.column<float>("/studies/labels", {n, label_count});
  tables.first_scan = reader.offsets("/studies/first_scan", n, scans, 1);
  const std::uint64_t bytes = reader.rows("/sentences/text"), ends = reader.rows("/sentences/first_byte");
  if (ends == 0) damaged("/sentences/first_byte is empty");
  tables.text = reader.column<std::uint8_t>("/sentences/text", {bytes});
  tables.first_byte = reader.offsets("/sentences/first_byte", ends - 1, bytes, 0);
  tables.first_sentence = reader.offsets("/studies/first_sentence", n, ends - 1, 0);
}

void read_scans(const ColumnReader& reader, std::uint64_t channels, std::uint64_t s, ShardTables& tables) {
  tables.series = reader.texts("/scans/series", s);
  tables.modality = reader.texts("/scans/modality", s);
  tables.window = reader.texts("/scans/window", s);
  tables.description_hash = reader.column<std::uint64_t>("/scans/description_hash", {s});
  tables.checksum = reader.column<std::uint64_t>("/scans/checksum", {s});
  tables.source_slices = reader.column<std::int64_t>("/scans/source_slices", {s});
  tables.missing_slices = reader.column<std::int64_t>("/scans/missing_slices", {s});
  tables.origin = reader.column<double>("/scans/origin", {s, 3});
  tables.steps = reader.column<double>("/scans/steps", {s, 3, 3});
  tables.intensity_scale = reader.column<double>("/scans/intensity_scale", {s, channels});
  tables.intensity_offset = reader.column<double>("/scans/intensity_offset", {s, channels});
  const std::uint64_t instances = reader.rows("/instances/key");
  tables.first_instance = reader.offsets("/scans/first_instance", s, instances, 0);
  tables.instances = reader.texts("/instances/key", instances);
}

}  // namespace

void ShardTables::add(const study::StoredStudy& study, std::span<const std::uint64_t> checksums) {
  key.push_back(study.key);
  patient.push_back(study.patient);
  split.push_back(study.split);
  fold.push_back(study.fold);
  append(labels, study.labels);
  for (const auto& said : study.report) {
    append(text, said);
    first_byte.push_back(static_cast<std::int64_t>(text.size()));
  }
  first_sentence.push_back(static_cast<std::int64_t>(first_byte.size()) - 1);
  for (std::size_t i = 0; i < study.scans.size(); ++i) add_scan(*this, study.scans[i], checksums[i]);
  first_scan.push_back(scans());
}

std::string ShardTables::sentence(std::int64_t number) const {
  const auto at = static_cast<std::size_t>(number);
  return {text.begin() + first_byte[at], text.begin() + first_byte[at + 1]};
}

hdf5::Dataset write_tables(hdf5::File& file, const SetDescription& description, const ShardTables& tables) {
  const auto& grid = description.grid;
  file.write_attribute("/", "format", std::string(kFormat));
  file.write_attribute("/", "schema", kShardSchema);
  const std::vector<std::uint8_t> profile(description.profile.begin(), description.profile.end());
  file.write("/profile", profile, {profile.size()});
  file.write_texts("/label_names", description.label_names);
  write_studies(file, tables, description.label_names.size());
  write_scans(file, tables, u(grid.channels));
  const auto [d, h, w] = grid.extents;
  const hdf5::Dataset voxels =
      file.make_bulk("/voxels", element_of(grid.dtype), {u(tables.scans()), u(grid.channels), u(d), u(h), u(w)},
                     {1, 1, slices_a_chunk(grid), u(h), u(w)});
  file.write_attribute("/voxels", "value_scale", grid.value_scale);
  file.write_attribute("/voxels", "value_shift", grid.value_shift);
  return voxels;
}

std::int64_t scans_in(const hdf5::File& file) {
  const auto facts = file.facts("/voxels");
  if (facts.extents.size() != 5) damaged(fmt::format("/voxels has {} axes, not 5", facts.extents.size()));
  return static_cast<std::int64_t>(facts.extents[0]);
}

SetDescription read_description(const hdf5::File& file, std::uint64_t limit) {
  if (file.read_text("/", "format", kLongestFormat) != kFormat) damaged("it is a HDF5 file, but no shard");
  const std::int64_t schema = file.read_integer("/", "schema");
  STRATA_CHECK(schema == kShardSchema, data, "shard",
               fmt::format("it has schema version {}, this build reads version {}", schema, kShardSchema),
               "use the release of Strata that wrote it, or ingest again");
  SetDescription description;
  const auto voxels = file.facts("/voxels");
  scans_in(file);
  for (const auto extent : voxels.extents)
    if (extent == 0 || extent > (std::uint64_t{1} << 31)) damaged(fmt::format("an extent of /voxels is {}", extent));
  const bool u8 = voxels.element == hdf5::Element::u8;
  if (!u8 && voxels.element != hdf5::Element::i16) damaged("/voxels are neither u8 nor i16");
  const auto at = [&](std::size_t axis) { return static_cast<std::int64_t>(voxels.extents[axis]); };
  description.grid = {.channels = at(1),
                      .extents = {at(2), at(3), at(4)},
                      .dtype = u8 ? DType::u8 : DType::i16,
                      .value_scale = file.read_real("/voxels", "value_scale"),
                      .value_shift = file.read_real("/voxels", "value_shift")};
  const ColumnReader reader(file, limit);
  const auto profile = reader.column<std::uint8_t>("/profile", {reader.rows("/profile")});
  description.profile.assign(profile.begin(), profile.end());
  description.label_names = reader.texts("/label_names", reader.rows("/label_names"));
  return description;
}

ShardTables read_tables(const hdf5::File& file, const SetDescription& description, std::uint64_t limit) {
  const ColumnReader reader(file, limit);
  const auto scans = u(scans_in(file));
  ShardTables tables;
  read_studies(reader, description.label_names.size(), scans, tables);
  read_scans(reader, u(description.grid.channels), scans, tables);
  return tables;
}

}  // namespace strata::io
