// SPDX-License-Identifier: Apache-2.0
//
// What ingest does over ranks: the same files found, the same shards written.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "io/ingest/lists.hpp"
#include "io/ingest/tree.hpp"
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

}  // namespace
}  // namespace strata::ingest
