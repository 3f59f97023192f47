// SPDX-License-Identifier: Apache-2.0
#include "io/shard/set_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "strata/comm/pack.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

void pack_description(comm::Packer& packer, const SetDescription& description) {
  packer.put(description.grid);
  packer.put(description.label_names);
  packer.put(description.profile);
}

SetDescription unpack_description(comm::Unpacker& from) {
  SetDescription description;
  description.grid = from.get<study::StoredGrid>();
  description.label_names = from.get<std::vector<std::string>>();
  description.profile = from.get<std::string>();
  return description;
}

}  // namespace

// Number, length, contents: shards can be put in order before they are unpacked.
std::string pack_shard(std::int64_t number, const ShardContents& contents) {
  const ShardTables& tables = contents.tables;
  comm::Packer packer;
  packer.put(contents.header);
  pack_description(packer, contents.description);
  packer.put(tables.key);
  packer.put(tables.patient);
  packer.put(tables.split);
  packer.put(tables.fold);
  packer.put(tables.labels);
  packer.put(tables.first_scan);
  packer.put(tables.checksum);
  packer.put(tables.first_sentence);
  packer.put(tables.first_byte);
  packer.put(tables.text);
  comm::Packer outer;
  outer.put(number);
  outer.put(packer.take());
  return outer.take();
}

SetTables::SetTables(const std::vector<std::string>& packed, std::int64_t shards) {
  std::map<std::int64_t, std::string> by_number;
  for (const auto& part : packed) {
    comm::Unpacker from(part);
    while (!from.done()) {
      const auto number = from.get<std::int64_t>();
      by_number.emplace(number, from.get<std::string>());
    }
  }
  STRATA_CHECK(static_cast<std::int64_t>(by_number.size()) == shards, internal, "shard",
               "a shard's tables are missing");
  for (const auto& [number, bytes] : by_number) add(bytes, number);
  by_key_.reserve(static_cast<std::size_t>(studies()));
  for (std::int64_t study = 0; study < studies(); ++study) {
    const auto [at, fresh] = by_key_.try_emplace(key(study), study);
    STRATA_CHECK(fresh, data, "shard",
                 fmt::format("study {} is in {} and in {}", printable(key(study)), shard_file(shard_of(at->second)),
                             shard_file(shard_of(study))),
                 "ingest the set again");
  }
}

void SetTables::add(const std::string& packed_shard, std::int64_t expected) {
  comm::Unpacker from(packed_shard);
  headers_.push_back(from.get<ShardHeader>());
  SetDescription description = unpack_description(from);
  if (headers_.size() == 1) description_ = std::move(description);
  STRATA_CHECK(headers_.size() == 1 || description == description_, data, "shard",
               fmt::format("{} was made with another profile, grid or other labels than {}", shard_file(expected),
                           shard_file(0)),
               "ingest the set again");
  add_rows(from);
  first_study_.push_back(studies());
}

void SetTables::add_rows(comm::Unpacker& from) {
  for (TextColumn* column : {&key_, &patient_, &split_})
    for (const auto& text : from.get<std::vector<std::string>>()) column->add(text);
  for (const auto fold : from.get<std::vector<std::int64_t>>()) fold_.push_back(fold);
  for (const auto label : from.get<std::vector<float>>()) labels_.push_back(label);
  const std::int64_t scans_before = first_scan_.back(), sentences_before = first_sentence_.back();
  const auto first_scan = from.get<std::vector<std::int64_t>>();
  for (std::size_t i = 1; i < first_scan.size(); ++i) first_scan_.push_back(scans_before + first_scan[i]);
  for (const auto checksum : from.get<std::vector<std::uint64_t>>()) checksums_.push_back(checksum);
  const auto first_sentence = from.get<std::vector<std::int64_t>>();
  for (std::size_t i = 1; i < first_sentence.size(); ++i)
    first_sentence_.push_back(sentences_before + first_sentence[i]);
  const auto first_byte = from.get<std::vector<std::int64_t>>();
  const auto text = from.get<std::vector<std::uint8_t>>();
  for (std::size_t i = 1; i < first_byte.size(); ++i)
    sentences_.add(std::string(text.begin() + first_byte[i - 1], text.begin() + first_byte[i]));
}

std::span<const float> SetTables::labels(std::int64_t study) const {
  const std::size_t columns = description_.label_names.size();
  return std::span(labels_).subspan(static_cast<std::size_t>(study) * columns, columns);
}

std::vector<std::string> SetTables::report(std::int64_t study) const {
  std::vector<std::string> sentences;
  for (auto at = row(first_sentence_, study); at < row(first_sentence_, study + 1); ++at)
    sentences.emplace_back(sentences_.at(at));
  return sentences;
}

std::optional<std::int64_t> SetTables::find(std::string_view key) const {
  const auto at = by_key_.find(key);
  return at == by_key_.end() ? std::nullopt : std::optional(at->second);
}

std::int64_t SetTables::shard_of(std::int64_t study) const {
  return std::ranges::upper_bound(first_study_, study) - first_study_.begin() - 1;
}

std::int64_t SetTables::place(std::int64_t study, std::int64_t scan) const {
  return row(first_scan_, study) + scan - row(first_scan_, first_study(shard_of(study)));
}

std::uint64_t SetTables::checksum(std::int64_t study, std::int64_t scan) const {
  return checksums_[static_cast<std::size_t>(row(first_scan_, study) + scan)];
}

}  // namespace strata::io
