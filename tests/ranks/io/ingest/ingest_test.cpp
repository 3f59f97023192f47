// SPDX-License-Identifier: Apache-2.0
//
// What ingest does over ranks: the same files found, the same shards written.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "io/identity/identity.hpp"
#include "io/ingest/ingest.hpp"
#include "io/ingest/lists.hpp"
#include "io/ingest/tree.hpp"
#include "io/phantom/phantom.hpp"
#include "io/shard/shard_set.hpp"
#include "parallel/comm/local.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/bytes.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/support/worlds.hpp"

namespace strata::ingest {
namespace {

namespace fs = std::filesystem;
using testing::each_world;

std::vector<std::string> all_files(comm::Communicator& world, const Tree& tree) {
  std::string mine;
  for (const auto& file : tree.files) append(mine, file);
  std::vector<std::string> all;
  for (const auto& list : comm::gather_texts(world, mine))
    for (auto& file : items(list)) all.push_back(file);
  std::ranges::sort(all);
  return all;
}

void make_tree(const fs::path& root) {
  for (int i = 0; i < 5; ++i) {
    const fs::path folder = root / ("a" + std::to_string(i)) / "b";
    fs::create_directories(folder);
    for (int j = 0; j <= i; ++j) std::ofstream(folder / ("file " + std::to_string(j))) << "x";
  }
  fs::create_directory_symlink(root, root / "a0" / "loop");
  fs::create_directory_symlink(root / "a1" / "b", root / "again");
  fs::create_symlink(root / "nowhere", root / "dangling");
  fs::create_symlink(root / "a4" / "b" / "file 0", root / "link");
}

// One folder that all ranks see.
std::string shared_folder(comm::Communicator& world, const fixtures::ScratchFolder& mine) {
  return comm::broadcast_text(world, mine.path().string());
}

TEST(Tree, FilesAreFoundOnceAndDealtEvenlyWhateverTheLinks) {
  each_world([](comm::Communicator& world) {
    const fixtures::ScratchFolder scratch;
    const std::string root = shared_folder(world, scratch);
    if (world.rank() == 0) make_tree(root);
    world.barrier().wait();
    const std::vector<std::string> roots{root, root + "/a0"};
    const Tree tree = find_files(world, roots);
    const auto all = all_files(world, tree);
    EXPECT_EQ(all.size(), 16u);  // 1 + 2 + 3 + 4 + 5, and a link to one of them
    EXPECT_EQ(tree.all_files, 16);
    EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
    EXPECT_LE(static_cast<std::int64_t>(tree.files.size()), 16 / world.size() + 1);
    world.barrier().wait();
  });
}

TEST(Tree, ARootThatIsNotThereIsAnErrorOnEveryRank) {
  each_world([](comm::Communicator& world) {
    const std::vector<std::string> roots{"/nowhere/at/all"};
    EXPECT_THROW(find_files(world, roots), Error);
  });
}

// Everything that goes wrong in archives, a little of each.
constexpr phantom::Options kPhantoms{.seed = 5,
                                     .studies = 7,
                                     .matrix = 64,
                                     .tilt = 0.4,
                                     .gaps = 0.3,
                                     .missing = 0.3,
                                     .duplicates = 0.1,
                                     .broken = 0.3,
                                     .other_syntax = 0.3};

constexpr const char* kProfile = R"(
name: test
steps:
  - orient: {axes: SPL}
  - resize: {extents: [8, 32, 32]}
  - windows:
      - {name: brain, center: 40, width: 80}
      - {name: bone, center: 400, width: 2800}
)";

// Rows in an order of their own; the first study has none, one row belongs to nobody.
study::Records table() {
  study::RecordColumns wanted;
  wanted.labels = {"*"};
  study::Records records("labels.csv", wanted);
  const std::vector<std::string> columns{"study_uid", "report", "bleed"};
  const auto text = [](std::string value) { return study::Cell{study::Cell::Kind::text, std::move(value), {}}; };
  for (std::int64_t i = kPhantoms.studies; i > 0; --i) {
    const std::string uid = i == kPhantoms.studies ? "1.2.3" : phantom::describe(kPhantoms, i).study_uid;
    records.add(columns, {.line = i + 1, .cells = {text(uid), text("First. Second."), text(i % 2 == 0 ? "1" : "")}});
  }
  records.finish();
  return records;
}

Job job_of(const std::string& root, const std::string& name) {
  std::array<std::byte, io::IdentityKey::kBytes> key{};
  key[3] = std::byte{7};
  return {.sources = {root + "/dicom"},
          .exclude = {},
          .set_folder = root + "/" + name,
          .private_folder = root + "/" + name + ".private",
          .profile = study::parse_profile(kProfile),
          .planning = {},
          .selection = {.modalities = {"CT"}, .least_slices = 1, .series = {}},
          .key = io::IdentityKey(key),
          .tables = {.records = table(), .shares = study::SplitShares{}},
          .shard_bytes = 3 * 8 * 32 * 32};
}

std::vector<std::string> sorted_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  std::ranges::sort(lines);
  return lines;
}

TEST(Ingest, AnyNumberOfRanksWritesTheSameSet) {
  testing::run_ranks([](comm::Communicator& world) {
    const fixtures::ScratchFolder scratch;
    const std::string root = shared_folder(world, scratch);
    for (std::int64_t i = world.rank(); i < kPhantoms.studies; i += world.size())
      phantom::write_study(kPhantoms, i, root + "/dicom");
    world.barrier().wait();
    const Result result = ingest(world, job_of(root, "many"), [](const Progress&) {});
    if (world.rank() == 0) {
      const auto alone = comm::make_local();
      const Result expected = ingest(*alone, job_of(root, "one"), [](const Progress&) {});
      EXPECT_EQ(result.tally.studies, kPhantoms.studies);
      EXPECT_EQ(result.tally.rows, (std::map<std::string, std::int64_t>{{"no_study", 1}}));
      EXPECT_GT(result.shards, 2);
      EXPECT_EQ(result.shards, expected.shards);
      for (std::int64_t shard = 0; shard < result.shards; ++shard)
        EXPECT_TRUE(fixtures::read_all(root + "/many/" + io::shard_file(shard)) ==
                    fixtures::read_all(root + "/one/" + io::shard_file(shard)))
            << shard;
      EXPECT_EQ(fixtures::read_all(root + "/many/manifest.json"), fixtures::read_all(root + "/one/manifest.json"));
      EXPECT_EQ(sorted_lines(fixtures::read_all(root + "/many.private/report.jsonl")),
                sorted_lines(fixtures::read_all(root + "/one.private/report.jsonl")));
    }
    world.barrier().wait();
  });
}

TEST(Ingest, OtherFilesAreNotMixedIntoASetThatWasBegun) {
  testing::run_ranks([](comm::Communicator& world) {
    if (world.rank() != 0) return;
    const fixtures::ScratchFolder scratch;
    const std::string root = scratch.path().string();
    const auto alone = comm::make_local();
    phantom::write_study(kPhantoms, 0, root + "/dicom");
    Job job = job_of(root, "set");
    job.tables = {};
    EXPECT_EQ(ingest(*alone, job, [](const Progress&) {}).shards, 1);
    EXPECT_TRUE(ingest(*alone, job, [](const Progress&) {}).already_finished);
    phantom::write_study(kPhantoms, 1, root + "/dicom");
    EXPECT_THROW(ingest(*alone, job, [](const Progress&) {}), Error);
  });
}

}  // namespace
}  // namespace strata::ingest
