// SPDX-License-Identifier: Apache-2.0
#include "io/shard/shard_file.hpp"
#include "parallel/comm/local.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_shards.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/promise.hpp"
#include "tests/fuzz/seeds.hpp"

namespace strata::fuzz {
namespace {

std::string whole_shard() {
  const fixtures::ScratchFolder folder;
  const auto set = fixtures::small_set();
  const auto studies = fixtures::small_studies(set, 0, 3);
  io::write_shard(*comm::make_local(), folder.path().string(), 0, set, studies, fixtures::count_up(3));
  return fixtures::read_all(folder.file(io::shard_file(0)));
}

void check_contents(const io::ShardContents& contents, std::size_t file_bytes) {
  const auto& [header, description, tables] = contents;
  promise(header.bytes == file_bytes, "a header of another file");
  promise(tables.studies() == header.studies && tables.scans() == header.scans, "a header that counts otherwise");
  const auto scan = static_cast<std::uint64_t>(description.grid.scan_bytes());
  promise(scan * static_cast<std::uint64_t>(header.scans) == header.voxels_bytes, "voxels that are not scans");
  promise(header.voxels_at + header.voxels_bytes <= file_bytes, "voxels outside the file");
}

}  // namespace

bool fuzz_shard(std::span<const std::byte> bytes) {
  return accepts([&] { check_contents(io::read_shard(io::InputFile("shard", "fuzz", bytes)), bytes.size()); });
}

bool fuzz_shard_header(std::span<const std::byte> bytes) {
  static const std::string whole = whole_shard();
  std::string file = whole;
  const std::string head(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 4096));
  file.replace(0, 4096, head + std::string(4096 - head.size(), '\0'));
  return fuzz_shard(std::as_bytes(std::span(file)));
}

std::vector<Seed> shard_seeds() { return {{"small", whole_shard()}}; }

std::vector<Seed> shard_header_seeds() {
  const std::string whole = whole_shard();
  return {{"small", whole.substr(0, whole.find('\0'))}};
}

}  // namespace strata::fuzz
