// SPDX-License-Identifier: Apache-2.0
// Damaged, foreign and half-written files; writers that fail; what is left behind.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/shard/shard_set.hpp"
#include "parallel/comm/local.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_shards.hpp"

namespace strata::io {
namespace {

using fixtures::message_of;
using fixtures::small_set;
using fixtures::small_study;

class DamagedShards : public testing::Test {
 protected:
  DamagedShards() { fixtures::write_small_set(*local_, folder(), small_set(), 2, 5); }
  std::string folder() const { return scratch_.path().string(); }
  std::string shard(int number) const { return scratch_.file(shard_file(number)); }
  std::unique_ptr<ShardSet> open(const ShardOptions& options = {}) { return open_shards(folder(), options, *local_); }
  // Replaces bytes of a file; voxels of the small set lie at the first 4096 bytes' end or later.
  static void poke(const std::string& path, std::size_t at, std::string_view bytes) {
    std::string all = fixtures::read_all(path);
    all.replace(at, bytes.size(), bytes);
    fixtures::write_all(path, all);
  }
  static std::size_t voxels_at(const std::string& path) {
    const std::string all = fixtures::read_all(path), mark = "\"voxels_at\":";
    return std::stoul(all.substr(all.find(mark) + mark.size(), 20));
  }
  std::string opening_error() {
    return message_of([&] { open(); }, ErrorKind::data);
  }

  fixtures::ScratchFolder scratch_;
  std::unique_ptr<comm::Communicator> local_ = comm::make_local();
};

TEST_F(DamagedShards, ADamagedVoxelIsFoundAndNamed) {
  const auto whole = open();
  const auto bytes = static_cast<std::size_t>(small_set().grid.scan_bytes());
  poke(shard(0), voxels_at(shard(0)) + 2 * bytes + 7, "\xff");  // the second scan of the second study
  const auto set = open({.verify = true});
  EXPECT_EQ(set->damaged_scans(0), std::vector<std::string>{"scan 1 of study 'study1'"});
  EXPECT_TRUE(set->damaged_scans(1).empty());
  std::vector<std::byte> voxels(bytes);
  const data::ReadRequest good{1, 0, 0, 6, voxels}, bad{1, 1, 2, 1, std::span(voxels).first(bytes / 6)};
  set->read({&good, 1});
  const std::string said = message_of([&] { set->read({&bad, 1}); }, ErrorKind::data);
  EXPECT_NE(said.find(shard(0)), std::string::npos) << said;
  EXPECT_NE(said.find("the checksum of scan 1 of study 'study1' is wrong"), std::string::npos) << said;
  open()->read({&bad, 1});  // not verified: read as it is
}

TEST_F(DamagedShards, EveryByteOfHeaderAndTablesIsChecked) {
  const std::string whole = fixtures::read_all(shard(1));
  const std::size_t begin = voxels_at(shard(1));
  const auto voxels = static_cast<std::size_t>(small_set().grid.scan_bytes()) * 10;
  const std::size_t text_end = whole.find('\0');
  int tried = 0;
  for (std::size_t at = 0; at < whole.size(); at += at < text_end ? 1 : 37) {
    if ((at >= begin && at < begin + voxels) || (at >= text_end && at < 4096)) continue;
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
    fixtures::write_all(shard(1), damaged);
    const std::string said = opening_error();
    ASSERT_NE(said.find(shard_file(1)), std::string::npos) << at << ": " << said;
    ++tried;
  }
  EXPECT_GT(tried, 250);
}

TEST_F(DamagedShards, CutOffFilesAreNamed) {
  const std::string whole = fixtures::read_all(shard(1));
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{100}, std::size_t{4096}, std::size_t{5000}, whole.size() - 1}) {
    fixtures::write_all(shard(1), std::string_view(whole).substr(0, size));
    const std::string said = opening_error();
    EXPECT_NE(said.find(shard_file(1)), std::string::npos) << said;
    EXPECT_EQ(finished_shards(folder()).size(), 1U);
  }
  fixtures::write_all(shard(1), whole + "x");
  EXPECT_NE(opening_error().find("bytes, its header says"), std::string::npos);
  fixtures::write_all(shard(1), whole);
  EXPECT_EQ(finished_shards(folder()).size(), 2U);
  const auto set = open();
  fixtures::write_all(shard(1), std::string_view(whole).substr(0, whole.size() - 200));
  std::vector<std::byte> voxels(120);
  const data::ReadRequest request{9, 0, 0, 6, voxels};
  const std::string said = message_of([&] { set->read({&request, 1}); }, ErrorKind::data);
  EXPECT_NE(said.find("scan 0 of study 'study9'"), std::string::npos) << said;
}

TEST_F(DamagedShards, ForeignAndMissingFilesAreNamed) {
  std::filesystem::remove(shard(1));
  EXPECT_NE(opening_error().find(shard_file(1)), std::string::npos);
  fixtures::write_all(shard(1), std::string(10000, 'x'));
  EXPECT_NE(opening_error().find("does not begin like a shard"), std::string::npos);
  std::filesystem::copy_file(shard(0), shard(1), std::filesystem::copy_options::overwrite_existing);
  EXPECT_NE(opening_error().find("is not the file that the manifest lists"), std::string::npos);
  EXPECT_NE(message_of([&] { finish_set(*local_, folder(), 2); }, ErrorKind::data)
                .find("study 'study0' is in shard-000000.h5 and in shard-000001.h5"),
            std::string::npos);
}

TEST_F(DamagedShards, ManifestsAreChecked) {
  const std::string manifest = scratch_.file("manifest.json");
  for (const std::string_view text :
       {"", "{}", "[1, 2", R"({"format": "strata shard set", "schema": 2})",
        R"({"format": "strata shard set", "schema": 1, "studies": 0, "scans": 0, "shards": []})"}) {
    fixtures::write_all(manifest, text);
    EXPECT_NE(opening_error().find("manifest.json"), std::string::npos) << text;
  }
  std::filesystem::remove(manifest);
  EXPECT_FALSE(is_finished_set(folder()));
  EXPECT_NE(opening_error().find("holds no finished set of shards"), std::string::npos);
}

TEST_F(DamagedShards, ShardsOfTwoProfilesAreNoSet) {
  SetDescription other = small_set();
  other.profile = "another";
  const study::StoredStudy study = small_study(other, 77);
  const std::int64_t place = 0;
  write_shard(*local_, folder(), 2, other, {&study, 1}, {&place, 1});
  EXPECT_EQ(describe_shard(shard(2)), other);
  EXPECT_NE(message_of([&] { finish_set(*local_, folder(), 3); }, ErrorKind::data)
                .find("shard-000002.h5 was made with another profile"),
            std::string::npos);
}

TEST_F(DamagedShards, ShardsOfAGapAreNoSet) {
  EXPECT_NE(message_of([&] { finish_set(*local_, folder(), 3); }, ErrorKind::data).find("shard-000002.h5"),
            std::string::npos);
}

class ShardWriter : public testing::Test {
 protected:
  std::string folder() const { return scratch_.path().string(); }
  void write(const study::StoredStudy& study, std::int64_t place = 0) {
    write_shard(*local_, folder(), 0, small_set(), {&study, 1}, {&place, 1});
  }
  fixtures::ScratchFolder scratch_;
  std::unique_ptr<comm::Communicator> local_ = comm::make_local();
};

TEST_F(ShardWriter, StudiesThatDoNotFitAreRefusedBeforeAnythingIsWritten) {
  const study::StoredStudy good = small_study(small_set(), 1);
  const auto refused = [&](auto&& change) {
    study::StoredStudy study = good;
    change(study);
    const std::string said = message_of([&] { write(study); }, ErrorKind::usage);
    EXPECT_EQ(scratch_.entries(), 0);
    return said;
  };
  EXPECT_NE(refused([](auto& s) { s.key.clear(); }).find("no key"), std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.scans.clear(); }).find("no scan"), std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.labels.pop_back(); }).find("1 labels, the set has 2"), std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.scans[1].voxels.pop_back(); }).find("a scan of 119 bytes"), std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.scans[0].geometry.extents[0] = 5; }).find("does not lie on"), std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.scans[0].intensity.clear(); }).find("0 intensity maps"), std::string::npos);
  EXPECT_NE(refused([](auto& s) { s.scans[0].instances[0] = std::string(257, 'x'); }).find("longer than 256"),
            std::string::npos);
  EXPECT_NE(message_of([&] { write(good, 1); }, ErrorKind::usage).find("positions"), std::string::npos);
  EXPECT_NE(message_of([&] { write_shard(*local_, folder(), 0, small_set(), {}, {}); }, ErrorKind::usage)
                .find("one study at least"),
            std::string::npos);
  EXPECT_EQ(scratch_.entries(), 0);
}

TEST_F(ShardWriter, TheSameStudiesMakeTheSameBytesAndReplaceAnOlderShard) {
  write(small_study(small_set(), 1));
  const std::string first = fixtures::read_all(scratch_.file(shard_file(0)));
  write(small_study(small_set(), 2));
  EXPECT_NE(fixtures::read_all(scratch_.file(shard_file(0))), first);
  write(small_study(small_set(), 1));
  EXPECT_EQ(fixtures::read_all(scratch_.file(shard_file(0))), first);
  EXPECT_EQ(scratch_.entries(), 1);
}

TEST_F(ShardWriter, AFolderThatIsNotThereIsNamed) {
  const study::StoredStudy study = small_study(small_set(), 1);
  const std::int64_t place = 0;
  const std::string said = message_of(
      [&] {
        write_shard(*local_, folder() + "/absent", 0, small_set(), {&study, 1}, {&place, 1});
      },
      ErrorKind::environment);
  EXPECT_NE(said.find("cannot create"), std::string::npos) << said;
  EXPECT_NE(message_of([&] { finished_shards(folder() + "/absent"); }, ErrorKind::environment).find("cannot list"),
            std::string::npos);
}

// In a child process, whose limits and death are its own.
template <class Work>
int in_child(Work&& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = work();
    } catch (const Error& error) {
      code = error.exit_code();
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_F(ShardWriter, NoRoomIsAClearErrorAndLeavesNothing) {
  for (const rlim_t room : {rlim_t{0}, rlim_t{1000}, rlim_t{9000}}) {
    const int code = in_child([&] {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{room, room};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      try {
        write(small_study(small_set(), 2));
      } catch (const Error& error) {
        const bool clear =
            error.kind() == ErrorKind::environment && error.hint().find("ulimit -f") != std::string::npos;
        return clear ? 0 : 98;
      }
      return 97;
    });
    EXPECT_EQ(code, 0) << room;
    EXPECT_EQ(scratch_.entries(), 0);
  }
}

TEST_F(ShardWriter, AKilledWriterLeavesNoShard) {
  for (int i = 0; i < 20; ++i) {
    int started[2];
    ASSERT_EQ(::pipe(started), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::write(started[1], "x", 1);
      for (;;) write(small_study(small_set(), 2));
    }
    char byte = 0;
    ASSERT_EQ(::read(started[0], &byte, 1), 1);
    ::usleep(static_cast<useconds_t>(500 + 731 * i));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(started[0]);
    ::close(started[1]);
    // A file that has its name is whole; what has not is no shard.
    const bool named = std::filesystem::exists(scratch_.file(shard_file(0)));
    EXPECT_EQ(finished_shards(folder()).size(), named ? 1U : 0U);
    EXPECT_FALSE(is_finished_set(folder()));
  }
  write(small_study(small_set(), 2));
  finish_set(*local_, folder(), 1);
  EXPECT_EQ(scratch_.entries(), 2) << "leftovers are written over or removed";
}

}  // namespace
}  // namespace strata::io
