// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>

#include "app/view_study.hpp"
#include "io/shard/shard_set.hpp"
#include "parallel/comm/local.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

std::int64_t pick(const io::ShardSet& set, const std::string& which) {
  if (which.empty()) return 0;
  if (const auto found = set.find(which)) return *found;
  const bool number = is_number(which) && std::stoll(which) < set.studies();
  STRATA_CHECK(number, data, "view", fmt::format("there is no study {} among {}", io::printable(which), set.studies()),
               "give a number from 0 on or a study's key");
  return std::stoll(which);
}

std::vector<float> to_float(std::span<const std::byte> bytes, DType dtype) {
  std::vector<float> values(bytes.size() / static_cast<std::size_t>(size_of(dtype)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int16_t value = 0;
    if (dtype == DType::u8)
      value = std::to_integer<std::uint8_t>(bytes[i]);
    else
      std::memcpy(&value, bytes.data() + 2 * i, 2);
    values[i] = value;
  }
  return values;
}

// The channels of a scan, a view each.
void add_scan(const io::ShardSet& set, std::int64_t index, std::int64_t scan, bool as_stored, ViewStudy& to) {
  const study::StoredGrid& grid = set.grid();
  std::vector<std::byte> bytes(static_cast<std::size_t>(grid.scan_bytes()));
  const std::vector<data::ReadRequest> requests{
      {.study = index, .scan = scan, .first_slice = 0, .slices = grid.extents[0], .into = bytes}};
  set.read(requests);
  const io::ScanRecord record = set.record(index, scan);
  const std::size_t channel_bytes = bytes.size() / static_cast<std::size_t>(grid.channels);
  for (std::size_t c = 0; c < static_cast<std::size_t>(grid.channels); ++c) {
    ViewScan view{.geometry = record.geometry};
    view.voxels = to_float(std::span(bytes).subspan(c * channel_bytes, channel_bytes), grid.dtype);
    const auto& map = record.intensity.at(c);
    const double scale = as_stored ? grid.value_scale : map.scale, shift = as_stored ? grid.value_shift : map.offset;
    for (auto& value : view.voxels) value = static_cast<float>(static_cast<double>(value) * scale + shift);
    view.caption = fmt::format("scan {} channel {} {} {} - series {:.8}, {} slices from {}", scan, c, record.modality,
                               record.window, record.series, grid.extents[0], record.source_slices);
    view.shown = {{"as stored", 0.5, 1}};
    to.scans.push_back(std::move(view));
  }
}

}  // namespace

ViewStudy view_shards(const std::string& path, const std::string& which, bool as_stored) {
  const auto world = comm::make_local();
  const auto set = io::open_shards(path, {.mode = io::ReadMode::direct}, *world);
  STRATA_CHECK(set->studies() > 0, data, "view", fmt::format("{} holds no study", io::printable(path, 400)));
  const std::int64_t index = pick(*set, which);
  std::string labels;
  for (std::size_t i = 0; i < set->label_names().size(); ++i)
    if (set->labels(index)[i] == 1) labels += " " + set->label_names()[i];
  ViewStudy study{.title =
                      fmt::format("study {} of 0..{} {:.12}{}", index, set->studies() - 1, set->key(index), labels)};
  for (std::int64_t scan = 0; scan < set->scans(index); ++scan) add_scan(*set, index, scan, as_stored, study);
  for (const auto& sentence : set->report(index)) study.notes.push_back(sentence);
  return study;
}

}  // namespace strata::app
