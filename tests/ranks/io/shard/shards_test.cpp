// SPDX-License-Identifier: Apache-2.0
// Shards written and read by several ranks: the same bytes on any number of them, errors on all of them alike.
#include <gtest/gtest.h>

#include "io/shard/shard_set.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_shards.hpp"
#include "tests/support/ranks.hpp"
#include "tests/support/shared_folder.hpp"

namespace strata::io {
namespace {

using fixtures::message_of;
using fixtures::small_set;
using testing::run_ranks;
using testing::SharedFolder;

std::string bytes_by_one_rank(const SetDescription& set, const std::string& name) {
  const fixtures::ScratchFolder scratch;
  const auto local = comm::make_local();
  fixtures::write_small_set(*local, scratch.path().string(), set, 2, 7);
  return fixtures::read_all(scratch.file(name));
}

TEST(Shards, AreTheSameBytesOnAnyNumberOfRanks) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    const auto set = small_set(DType::i16, 2);
    fixtures::write_small_set(world, folder.path(), set, 2, 7);
    if (world.rank() != 0) return;
    for (const std::string name : {"shard-000000.h5", "shard-000001.h5", "manifest.json"})
      EXPECT_TRUE(fixtures::read_all(folder.file(name)) == bytes_by_one_rank(set, name)) << name;
  });
}

void expect_all_scans(const ShardSet& source, const SetDescription& set, comm::Communicator& world) {
  ASSERT_EQ(source.studies(), 14);
  const auto bytes = static_cast<std::size_t>(set.grid.scan_bytes());
  std::vector<std::vector<std::byte>> into;
  std::vector<data::ReadRequest> requests;
  for (std::int64_t study = world.rank(); study < source.studies(); study += world.size())
    for (std::int64_t scan = 0; scan < source.scans(study); ++scan) {
      into.emplace_back(bytes);
      requests.push_back({study, scan, 0, set.grid.extents[0], into.back()});
    }
  source.read(requests);
  for (std::size_t i = 0; i < requests.size(); ++i)
    EXPECT_EQ(into[i], fixtures::small_voxels(set, requests[i].study, requests[i].scan));
}

TEST(Shards, AreReadByAllRanksInEveryWay) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    const auto set = small_set();
    fixtures::write_small_set(world, folder.path(), set, 2, 7);
    for (const ReadMode mode : {ReadMode::probe, ReadMode::direct, ReadMode::independent, ReadMode::collective}) {
      SCOPED_TRACE(name_of(mode));
      if (mode == ReadMode::collective && world.native_handle("MPI_Comm") == nullptr) {
        EXPECT_NE(message_of([&] { open_shards(folder.path(), {.mode = mode}, world); }, ErrorKind::usage).find("MPI"),
                  std::string::npos);
        continue;
      }
      const auto source = open_shards(folder.path(), {.mode = mode, .verify = true, .open_files = 1}, world);
      EXPECT_EQ(source->collective(), mode == ReadMode::collective);
      expect_all_scans(*source, set, world);
      source->read({});  // together: nobody wants anything
    }
  });
}

TEST(Shards, ARankMayHaveNoStudy) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    const auto set = small_set();
    fixtures::write_small_set(world, folder.path(), set, 1, 1);
    EXPECT_EQ(open_shards(folder.path(), {}, world)->studies(), 1);
  });
}

TEST(Shards, AnErrorOnOneRankIsTheErrorOfAll) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    const auto set = small_set();
    const int last = world.size() - 1;
    auto mine = fixtures::small_studies(set, world.rank(), 1);
    const std::vector<std::int64_t> place{world.rank()};
    if (world.rank() == last) mine[0].scans.clear();
    const std::string said =
        message_of([&] { write_shard(world, folder.path(), 0, set, mine, place); }, ErrorKind::usage);
    EXPECT_NE(said.find("it has no scan"), std::string::npos) << said;
    EXPECT_EQ(said.find("on rank " + std::to_string(last)) == std::string::npos, world.rank() == last) << said;
    message_of([&] { finish_set(world, folder.path(), 1); }, ErrorKind::data);
    message_of([&] { open_shards(folder.path(), {}, world); }, ErrorKind::data);
    message_of([&] { write_shard(world, folder.file("absent"), 0, set, {}, {}); }, ErrorKind::usage);
  });
}

TEST(Shards, ADamagedShardIsTheErrorOfAll) {
  run_ranks([](comm::Communicator& world) {
    const SharedFolder folder(world);
    fixtures::write_small_set(world, folder.path(), small_set(), 3, 2);
    if (world.rank() == 0) {
      std::string bytes = fixtures::read_all(folder.file("shard-000001.h5"));
      bytes[4200] = static_cast<char>(bytes[4200] ^ 1);
      fixtures::write_all(folder.file("shard-000001.h5"), bytes);
    }
    world.barrier().wait();
    const std::string said = message_of([&] { open_shards(folder.path(), {}, world); }, ErrorKind::data);
    EXPECT_NE(said.find("shard-000001.h5"), std::string::npos) << said;
    world.barrier().wait();
  });
}

}  // namespace
}  // namespace strata::io
