// SPDX-License-Identifier: Apache-2.0
// strata inspect: what a set of shards (or one shard) holds, and whether its bytes are those that were written.
#include <fmt/format.h>

#include <cstdio>

#include "app/command.hpp"
#include "app/shard_report.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/comm/together.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

struct InspectOptions {
  std::string path, study;
  bool verify = false, json = false;
};

// Rank r takes shards r, r + size, ...; what is damaged comes to all.
std::vector<std::vector<std::string>> verify_shards(const io::ShardSet& set, comm::Communicator& world) {
  const auto shards = static_cast<std::int64_t>(set.shards().size());
  std::string mine;
  comm::together(world, [&] {
    for (std::int64_t shard = world.rank(); shard < shards; shard += world.size())
      for (const auto& scan : set.damaged_scans(shard)) mine += fmt::format("{} {}\n", shard, scan);
  });
  std::vector<std::vector<std::string>> damaged(set.shards().size());
  for (const auto& part : comm::gather_texts(world, mine)) {
    for (std::size_t begin = 0; begin < part.size();) {
      const auto end = part.find('\n', begin), blank = part.find(' ', begin);
      damaged[std::stoul(part.substr(begin, blank - begin))].push_back(part.substr(blank + 1, end - blank - 1));
      begin = end + 1;
    }
  }
  return damaged;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

std::string json_text(const nlohmann::ordered_json& json) {
  return json.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

void show_study(const io::ShardSet& set, const InspectOptions& options) {
  const auto study = set.find(options.study);
  STRATA_CHECK(study.has_value(), usage, "inspect",
               fmt::format("{} has no study {}", io::printable(options.path, 400), io::printable(options.study)),
               "studies go by their pseudonyms");
  const auto report = report_study(set, *study);
  print(options.json ? json_text(report) : study_text(report));
}

void inspect(const InspectOptions& options, comm::Communicator& world) {
  const auto set = io::open_shards(options.path, {.mode = io::ReadMode::direct}, world);
  Verification verified;
  if (options.verify) verified = verify_shards(*set, world);
  std::size_t damaged = 0;
  if (verified)
    for (const auto& shard : *verified) damaged += shard.size();
  comm::together(world, [&] {
    if (world.rank() != 0) return;
    if (!options.study.empty()) {
      show_study(*set, options);
    } else {
      const auto report = report_set(*set, verified);
      print(options.json ? json_text(report) : set_text(report));
    }
    STRATA_CHECK(damaged == 0, data, "inspect",
                 fmt::format("damaged scans in {}: {}", io::printable(options.path, 400), damaged),
                 "remove these shards and manifest.json and start the ingest again: it writes what is missing");
  });
}

}  // namespace

Action add_inspect(CLI::App& parser) {
  const auto options = std::make_shared<InspectOptions>();
  parser.add_option("path", options->path, "a folder of shards, or one shard")->required()->type_name("PATH");
  parser.add_flag("--verify", options->verify,
                  "read all voxels and compare their checksums (under mpirun: shards are dealt to the ranks)");
  parser.add_flag("--json", options->json, "print JSON");
  parser.add_option("--study", options->study, "show one study, by its pseudonym")->type_name("KEY");
  return [options] { comm::run_world([&](comm::Communicator& world) { inspect(*options, world); }); };
}

}  // namespace strata::app
