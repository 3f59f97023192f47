// SPDX-License-Identifier: Apache-2.0
#include "io/shard/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "io/hdf5/checksum.hpp"
#include "io/shard/shard_file.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/pack.hpp"
#include "strata/comm/together.hpp"
#include "strata/io/text.hpp"

namespace strata::io {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kManifest = "manifest.json";
constexpr std::uint64_t kLargestManifest = std::uint64_t{1} << 30;

std::string path_of(const std::string& folder, const std::string& file) { return (fs::path(folder) / file).string(); }

// The number in "shard-000012.h5", written as shard_file writes it.
std::optional<std::int64_t> shard_number(const std::string& name) {
  std::int64_t number = -1;
  constexpr std::string_view kStart = "shard-";
  if (!name.starts_with(kStart)) return std::nullopt;
  std::from_chars(name.data() + kStart.size(), name.data() + name.size(), number);
  return number >= 0 && shard_file(number) == name ? std::optional(number) : std::nullopt;
}

ShardSummary summary_of(std::int64_t number, const ShardHeader& header) {
  return {.number = number,
          .file = shard_file(number),
          .studies = header.studies,
          .scans = header.scans,
          .bytes = static_cast<std::int64_t>(header.bytes),
          .tables_checksum = header.tables_checksum};
}

// What finish_set compares and counts of one shard.
struct Digest {
  ShardSummary summary;
  std::uint64_t description = 0;  // checksum
  std::vector<std::string> keys, splits;
};

std::uint64_t checksum_of_description(const SetDescription& description) {
  comm::Packer packer;
  const auto& grid = description.grid;
  packer.put(grid.channels);
  packer.put(grid.extents);
  packer.put(grid.dtype);
  packer.put(grid.value_scale);
  packer.put(grid.value_shift);
  packer.put(description.label_names);
  packer.put(description.profile);
  const std::string bytes = packer.take();
  return checksum_of(std::as_bytes(std::span(bytes)));
}

void pack_digest(comm::Packer& packer, const ShardContents& contents, std::int64_t number) {
  packer.put(number);
  packer.put(contents.header);
  packer.put(checksum_of_description(contents.description));
  packer.put(contents.tables.key);
  packer.put(contents.tables.split);
}

std::vector<Digest> unpack_digests(const std::vector<std::string>& packed) {
  std::vector<Digest> digests;
  for (const auto& part : packed) {
    comm::Unpacker from(part);
    while (!from.done()) {
      Digest digest;
      const auto number = from.get<std::int64_t>();
      digest.summary = summary_of(number, from.get<ShardHeader>());
      digest.description = from.get<std::uint64_t>();
      digest.keys = from.get<std::vector<std::string>>();
      digest.splits = from.get<std::vector<std::string>>();
      digests.push_back(std::move(digest));
    }
  }
  std::ranges::sort(digests, {}, [](const Digest& digest) { return digest.summary.number; });
  return digests;
}

void check_digests(const std::vector<Digest>& digests) {
  std::unordered_map<std::string_view, std::string_view> seen;  // key to file
  for (const auto& digest : digests) {
    STRATA_CHECK(digest.description == digests.front().description, data, "shard",
                 fmt::format("{} was made with another profile, grid or other labels than {}", digest.summary.file,
                             digests.front().summary.file),
                 "ingest into an empty folder");
    for (const auto& key : digest.keys) {
      const auto [at, fresh] = seen.try_emplace(key, digest.summary.file);
      STRATA_CHECK(fresh, data, "shard",
                   fmt::format("study {} is in {} and in {}", printable(key), at->second, digest.summary.file));
    }
  }
}

Json splits_of(const std::vector<Digest>& digests) {
  std::map<std::string, std::int64_t> counts;
  for (const auto& digest : digests)
    for (const auto& split : digest.splits) ++counts[split];
  Json json = Json::object();
  for (const auto& [split, count] : counts) json[split] = count;
  return json;
}

Json shards_of(const std::vector<Digest>& digests) {
  Json json = Json::array();
  for (const auto& digest : digests)
    json.push_back({{"file", digest.summary.file},
                    {"studies", digest.summary.studies},
                    {"scans", digest.summary.scans},
                    {"bytes", digest.summary.bytes},
                    {"tables_xxh3", hex_of(digest.summary.tables_checksum)}});
  return json;
}

std::string manifest_text(const SetDescription& description, const std::vector<Digest>& digests) {
  const auto& grid = description.grid;
  std::int64_t studies = 0, scans = 0, bytes = 0;
  for (const auto& digest : digests) {
    studies += digest.summary.studies;
    scans += digest.summary.scans;
    bytes += digest.summary.bytes;
  }
  const Json json{{"format", "strata shard set"},
                  {"schema", kShardSchema},
                  {"studies", studies},
                  {"scans", scans},
                  {"bytes", bytes},
                  {"grid",
                   {{"channels", grid.channels},
                    {"extents", grid.extents},
                    {"dtype", std::string(name_of(grid.dtype))},
                    {"value_scale", grid.value_scale},
                    {"value_shift", grid.value_shift}}},
                  {"label_names", description.label_names},
                  {"splits", splits_of(digests)},
                  {"shards", shards_of(digests)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void remove_leftovers(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".shard-") && name.ends_with(".h5.tmp")) fs::remove(entry.path(), ignored);
  }
}

ShardSummary parse_shard(const nlohmann::json& json, std::int64_t number) {
  const auto checksum = parse_hex(json.at("tables_xxh3").get<std::string>());
  STRATA_CHECK(checksum.has_value() && json.at("file").get<std::string>() == shard_file(number), data, "shard",
               fmt::format("the entry of shard {} is wrong", number));
  return {.number = number,
          .file = shard_file(number),
          .studies = json.at("studies").get<std::int64_t>(),
          .scans = json.at("scans").get<std::int64_t>(),
          .bytes = json.at("bytes").get<std::int64_t>(),
          .tables_checksum = *checksum};
}

Manifest parse(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  STRATA_CHECK(json.at("format").get<std::string>() == "strata shard set", data, "shard",
               "it is no manifest of shards");
  STRATA_CHECK(json.at("schema").get<std::int64_t>() == kShardSchema, data, "shard",
               fmt::format("schema version {} is not {}", json.at("schema").get<std::int64_t>(), kShardSchema));
  Manifest manifest;
  manifest.studies = json.at("studies").get<std::int64_t>();
  manifest.scans = json.at("scans").get<std::int64_t>();
  for (const auto& shard : json.at("shards"))
    manifest.shards.push_back(parse_shard(shard, static_cast<std::int64_t>(manifest.shards.size())));
  STRATA_CHECK(!manifest.shards.empty(), data, "shard", "it lists no shard");
  return manifest;
}

}  // namespace

std::string shard_file(std::int64_t number) { return fmt::format("shard-{:06}.h5", number); }

std::vector<ShardSummary> finished_shards(const std::string& folder) {
  std::vector<ShardSummary> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const auto number = shard_number(entry.path().filename().string());
    if (!number) continue;
    try {
      found.push_back(summary_of(*number, check_shard(InputFile("shard", entry.path().string()))));
    } catch (const Error& broken) {
      if (broken.kind() != ErrorKind::data) throw;
    }
  }
  STRATA_CHECK(!error, environment, "shard", fmt::format("cannot list {}: {}", printable(folder, 400), error.message()),
               "create the folder first");
  std::ranges::sort(found, {}, &ShardSummary::number);
  return found;
}

SetDescription describe_shard(const std::string& path) { return read_shard_description(InputFile("shard", path)); }

bool is_finished_set(const std::string& folder) { return fs::exists(fs::path(folder) / kManifest); }

void finish_set(comm::Communicator& comm, const std::string& folder, std::int64_t shards) {
  STRATA_CHECK(shards > 0, usage, "shard", "a set has one shard at least", "was everything left out?");
  comm::Packer packer;
  comm::together(comm, [&] {
    for (std::int64_t number = comm.rank(); number < shards; number += comm.size())
      pack_digest(packer, read_shard(InputFile("shard", path_of(folder, shard_file(number)))), number);
  });
  const auto digests = unpack_digests(comm::gather_texts(comm, packer.take()));
  comm::together(comm, [&] {
    check_digests(digests);
    if (comm.rank() != 0) return;
    remove_leftovers(folder);
    OutputFile file("shard", path_of(folder, kManifest));
    file.write(manifest_text(describe_shard(path_of(folder, shard_file(0))), digests));
    file.commit();
  });
}

std::string read_manifest_text(const std::string& folder) {
  const std::string path = path_of(folder, kManifest);
  STRATA_CHECK(fs::exists(folder), data, "shard", fmt::format("there is no {}", printable(folder, 400)),
               "name the folder that strata ingest wrote");
  STRATA_CHECK(fs::exists(path), data, "shard",
               fmt::format("{} holds no finished set of shards", printable(folder, 400)),
               "its manifest.json is written when an ingest has ended: start the ingest again, it continues");
  const InputFile file("shard", path);
  STRATA_CHECK(file.size() <= kLargestManifest, data, "shard",
               fmt::format("{} has {} bytes", printable(path, 400), file.size()));
  std::string text(file.size(), '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

Manifest manifest_of_shard(const std::string& path) {
  const ShardHeader header = check_shard(InputFile("shard", path));
  ShardSummary summary = summary_of(0, header);
  summary.file = fs::path(path).filename().string();
  Manifest manifest;
  manifest.studies = header.studies;
  manifest.scans = header.scans;
  manifest.shards.push_back(std::move(summary));
  return manifest;
}

Manifest parse_manifest(const std::string& path, const std::string& text) {
  try {
    return parse(text);
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::data, "shard", fmt::format("{} cannot be read", printable(path, 400)),
         "it is damaged: start the ingest again, it writes a new one");
  } catch (const Error& error) {
    fail(error.kind(), error.subject(), fmt::format("{}: {}", printable(path, 400), error.message()), error.hint());
  }
}

}  // namespace strata::io
