// SPDX-License-Identifier: Apache-2.0
// strata inspect: what a set of shards (or one shard) or a checkpoint holds, and whether its bytes are those that were
// written.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <filesystem>

#include "app/checkpoint_report.hpp"
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
  std::string path, study, text;
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

// The checkpoint that a path names: itself, the newest of a folder, or of the folder `checkpoints` in it; empty: none.
std::string find_checkpoint(const std::string& path) {
  if (std::filesystem::is_regular_file(path)) return io::is_checkpoint_file(path) ? path : std::string();
  for (const auto& folder : {path, path + "/checkpoints"}) {
    if (!std::filesystem::is_directory(folder)) continue;
    const auto steps = io::checkpoint_steps(folder);
    if (!steps.empty()) return folder + "/" + io::checkpoint_file(steps.back());
  }
  return {};
}

void show_text(const io::CheckpointFile& stored, const std::string& name) {
  const auto& texts = stored.texts();
  std::vector<std::string> names;
  for (const auto& [other, text] : texts) names.push_back(io::printable(other));
  const auto found = texts.find(name);
  STRATA_CHECK(found != texts.end(), usage, "inspect",
               fmt::format("{} has no text {}", io::printable(stored.path(), 400), io::printable(name)),
               fmt::format("it has {}", fmt::join(names, ", ")));
  print(found->second);
}

void inspect_checkpoint(const std::string& path, const InspectOptions& options, comm::Communicator& world) {
  STRATA_CHECK(options.study.empty(), usage, "inspect", "--study is for shards, a checkpoint holds none");
  const auto stored = io::open_checkpoint(path, world);
  std::optional<std::vector<std::string>> damaged;
  if (options.verify) damaged = stored->damaged_tensors();
  comm::together(world, [&] {
    if (world.rank() != 0) return;
    if (!options.text.empty()) {
      show_text(*stored, options.text);
    } else {
      const auto report = report_checkpoint(*stored, damaged);
      print(options.json ? json_text(report) : checkpoint_report_text(report));
    }
    STRATA_CHECK(!damaged || damaged->empty(), checkpoint, "inspect",
                 fmt::format("damaged tensors in {}: {}", io::printable(path, 400), damaged->size()),
                 "resume from another checkpoint, or bring a copy back");
  });
}

void inspect(const InspectOptions& options, comm::Communicator& world) {
  std::string checkpoint;
  comm::together(world, [&] {
    if (world.rank() != 0) return;
    STRATA_CHECK(std::filesystem::exists(options.path), data, "inspect",
                 fmt::format("there is no {}", io::printable(options.path, 400)), "check the path");
    checkpoint = find_checkpoint(options.path);
  });
  checkpoint = comm::broadcast_text(world, std::move(checkpoint));
  if (!checkpoint.empty()) return inspect_checkpoint(checkpoint, options, world);
  STRATA_CHECK(options.text.empty(), usage, "inspect", "--text is for checkpoints");
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
  parser
      .add_option("path", options->path,
                  "a folder of shards, or one shard; a run, its folder of checkpoints, or one of them")
      ->required()
      ->type_name("PATH");
  parser.add_flag("--verify", options->verify,
                  "read all voxels or tensors and compare their checksums (under mpirun: dealt to the ranks)");
  parser.add_flag("--json", options->json, "print JSON");
  parser.add_option("--study", options->study, "show one study, by its pseudonym")->type_name("KEY");
  parser.add_option("--text", options->text, "print one text of a checkpoint, e.g. config.yaml")->type_name("NAME");
  return [options] { comm::run_world([&](comm::Communicator& world) { inspect(*options, world); }); };
}

}  // namespace strata::app
