// SPDX-License-Identifier: Apache-2.0
//
// What a reader keeps of a whole set: flat columns over all shards, without what only people ask for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/shard/shard_file.hpp"
#include "strata/comm/pack.hpp"

namespace strata::io {

// Many short texts in one block.
class TextColumn {
 public:
  void add(std::string_view text) {
    bytes_ += text;
    first_.push_back(bytes_.size());
  }
  std::string_view at(std::int64_t row) const {
    const auto r = static_cast<std::size_t>(row);
    return std::string_view(bytes_).substr(first_[r], first_[r + 1] - first_[r]);
  }
  std::int64_t rows() const { return static_cast<std::int64_t>(first_.size()) - 1; }

 private:
  std::string bytes_;
  std::vector<std::uint64_t> first_{0};
};

// Of one shard, as its rank sends it to the others.
std::string pack_shard(std::int64_t number, const ShardContents& contents);

class SetTables {
 public:
  // From every rank's packed shards, in any order. Checks that there are `shards` of them, that they share one
  // description and no study: data errors.
  SetTables(const std::vector<std::string>& packed, std::int64_t shards);

  const SetDescription& description() const { return description_; }
  const std::vector<ShardHeader>& headers() const { return headers_; }
  std::int64_t studies() const { return key_.rows(); }
  std::int64_t scans(std::int64_t study) const { return row(first_scan_, study + 1) - row(first_scan_, study); }
  std::string_view key(std::int64_t study) const { return key_.at(study); }
  std::string_view patient(std::int64_t study) const { return patient_.at(study); }
  std::string_view split(std::int64_t study) const { return split_.at(study); }
  std::int64_t fold(std::int64_t study) const { return row(fold_, study); }
  std::span<const float> labels(std::int64_t study) const;
  std::vector<std::string> report(std::int64_t study) const;
  std::optional<std::int64_t> find(std::string_view key) const;

  std::int64_t shard_of(std::int64_t study) const;
  std::int64_t first_study(std::int64_t shard) const { return row(first_study_, shard); }
  // The scan's place in its shard, and the checksum of its voxels.
  std::int64_t place(std::int64_t study, std::int64_t scan) const;
  std::uint64_t checksum(std::int64_t study, std::int64_t scan) const;

 private:
  static std::int64_t row(const std::vector<std::int64_t>& column, std::int64_t at) {
    return column[static_cast<std::size_t>(at)];
  }
  void add(const std::string& packed_shard, std::int64_t expected);
  void add_rows(comm::Unpacker& from);

  SetDescription description_;
  std::vector<ShardHeader> headers_;
  std::vector<std::int64_t> first_study_{0};  // by shard
  TextColumn key_, patient_, split_, sentences_;
  std::vector<std::int64_t> fold_, first_scan_{0}, first_sentence_{0};
  std::vector<float> labels_;
  std::vector<std::uint64_t> checksums_;  // by scan of the set
  std::unordered_map<std::string_view, std::int64_t> by_key_;
};

}  // namespace strata::io
