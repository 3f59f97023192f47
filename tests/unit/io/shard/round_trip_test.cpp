// SPDX-License-Identifier: Apache-2.0
// What is written is read: tables, voxels, parts of scans, from many threads, in every way of reading.
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "io/shard/shard_set.hpp"
#include "parallel/comm/local.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_shards.hpp"

namespace strata::io {
namespace {

using fixtures::small_set;
using fixtures::small_study;
using fixtures::small_voxels;

class Shards : public testing::Test {
 protected:
  std::string folder() const { return scratch_.path().string(); }
  std::unique_ptr<ShardSet> open(const ShardOptions& options = {}) { return open_shards(folder(), options, *local_); }
  void write(const SetDescription& set, std::int64_t shards = 2, std::int64_t each = 5) {
    fixtures::write_small_set(*local_, folder(), set, shards, each);
  }

  fixtures::ScratchFolder scratch_;
  std::unique_ptr<comm::Communicator> local_ = comm::make_local();
};

std::vector<std::byte> read_scan(const ShardSet& set, std::int64_t study, std::int64_t scan) {
  std::vector<std::byte> voxels(static_cast<std::size_t>(set.grid().scan_bytes()));
  const data::ReadRequest request{study, scan, 0, set.grid().extents[0], voxels};
  set.read({&request, 1});
  return voxels;
}

// Slices [first, first + count) of every channel.
std::vector<std::byte> slab(const SetDescription& set, std::int64_t study, std::int64_t scan, std::int64_t first,
                            std::int64_t count) {
  const auto whole = small_voxels(set, study, scan);
  const auto channel = static_cast<std::ptrdiff_t>(whole.size()) / set.grid.channels;
  const auto slice = channel / set.grid.extents[0];
  std::vector<std::byte> part;
  for (std::ptrdiff_t c = 0; c < set.grid.channels; ++c) {
    const auto begin = whole.begin() + c * channel + first * slice;
    part.insert(part.end(), begin, begin + count * slice);
  }
  return part;
}

void expect_study(const ShardSet& set, std::int64_t number) {
  SCOPED_TRACE(number);
  const auto expected = small_study(small_set(), number);
  EXPECT_EQ(set.key(number), expected.key);
  EXPECT_EQ(set.patient(number), expected.patient);
  EXPECT_EQ(set.split(number), expected.split);
  EXPECT_EQ(set.fold(number), expected.fold);
  EXPECT_EQ(set.report(number), expected.report);
  EXPECT_EQ(set.labels(number)[0], expected.labels[0]);
  EXPECT_EQ(std::isnan(set.labels(number)[1]), std::isnan(expected.labels[1]));
  EXPECT_EQ(set.scans(number), static_cast<std::int64_t>(expected.scans.size()));
  EXPECT_EQ(set.find(expected.key), number);
}

TEST_F(Shards, TablesComeBack) {
  write(small_set());
  const auto set = open();
  ASSERT_EQ(set->studies(), 10);
  EXPECT_EQ(set->grid(), small_set().grid);
  EXPECT_EQ(set->label_names(), small_set().label_names);
  EXPECT_EQ(set->profile(), small_set().profile);
  EXPECT_EQ(set->find("nobody"), std::nullopt);
  for (std::int64_t study = 0; study < 10; ++study) expect_study(*set, study);
  EXPECT_EQ(set->shard_of(4), 0);
  EXPECT_EQ(set->shard_of(5), 1);
}

TEST_F(Shards, RecordsOfScansComeBack) {
  write(small_set(DType::u8, 3));
  const auto set = open();
  const auto expected = fixtures::small_scan(small_set(DType::u8, 3), 8, 2);
  const ScanRecord record = set->record(8, 2);
  EXPECT_EQ(record.series, expected.series);
  EXPECT_EQ(record.modality, expected.modality);
  EXPECT_EQ(record.window, expected.window);
  EXPECT_EQ(record.instances, expected.instances);
  EXPECT_EQ(record.geometry.extents, expected.geometry.extents);
  EXPECT_EQ(record.geometry.origin, expected.geometry.origin);
  EXPECT_EQ(record.geometry.steps, expected.geometry.steps);
  ASSERT_EQ(record.intensity.size(), 3U);
  EXPECT_EQ(record.intensity[2].scale, expected.intensity[2].scale);
  EXPECT_EQ(record.intensity[2].offset, expected.intensity[2].offset);
  EXPECT_EQ(record.description_hash, expected.description_hash);
  EXPECT_EQ(record.source_slices, expected.source_slices);
  EXPECT_EQ(record.missing_slices, expected.missing_slices);
}

TEST_F(Shards, VoxelsComeBackInEveryTypeAndWay) {
  for (const DType dtype : {DType::u8, DType::i16}) {
    for (const std::int64_t channels : {1, 3}) {
      const auto description = small_set(dtype, channels);
      write(description);
      for (const ReadMode mode : {ReadMode::direct, ReadMode::independent}) {
        const auto set = open({.mode = mode, .open_files = 1});
        EXPECT_EQ(set->mode(), mode);
        for (std::int64_t study = 0; study < 10; ++study)
          for (std::int64_t scan = 0; scan < set->scans(study); ++scan)
            ASSERT_EQ(read_scan(*set, study, scan), small_voxels(description, study, scan)) << name_of(mode);
      }
    }
  }
}

TEST_F(Shards, PartsOfScansInAnyOrderInOneCall) {
  const auto description = small_set(DType::i16, 2);
  write(description);
  for (const ReadMode mode : {ReadMode::direct, ReadMode::independent}) {
    for (const bool verify : {false, true}) {
      const auto set = open({.mode = mode, .verify = verify});
      struct Part {
        std::int64_t study, scan, first, count;
      };
      const std::vector<Part> parts{{8, 2, 1, 2}, {2, 1, 0, 6}, {2, 0, 0, 6}, {2, 2, 5, 1}, {8, 2, 3, 3}, {0, 0, 2, 1}};
      std::vector<std::vector<std::byte>> into;
      std::vector<data::ReadRequest> requests;
      for (const auto& part : parts)
        into.emplace_back(static_cast<std::size_t>(description.grid.scan_bytes() / 6 * part.count));
      for (std::size_t i = 0; i < parts.size(); ++i)
        requests.push_back({parts[i].study, parts[i].scan, parts[i].first, parts[i].count, into[i]});
      set->read(requests);
      for (std::size_t i = 0; i < parts.size(); ++i)
        EXPECT_EQ(into[i], slab(description, parts[i].study, parts[i].scan, parts[i].first, parts[i].count)) << i;
      set->read({});
    }
  }
}

TEST_F(Shards, ManyThreadsReadAtOnce) {
  const auto description = small_set();
  write(description, 4, 6);
  for (const ReadMode mode : {ReadMode::direct, ReadMode::independent}) {
    const auto set = open({.mode = mode, .verify = true, .open_files = 2});
    std::vector<std::thread> threads;
    std::vector<int> wrong(8);
    for (std::size_t t = 0; t < wrong.size(); ++t)
      threads.emplace_back([&, t] {
        for (std::int64_t i = 0; i < 200; ++i) {
          const std::int64_t study = (i * 7 + static_cast<std::int64_t>(t) * 5) % set->studies();
          const std::int64_t scan = i % set->scans(study);
          wrong[t] += read_scan(*set, study, scan) != small_voxels(description, study, scan);
        }
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<int>(8));
  }
}

TEST_F(Shards, LongScansHaveChunksOfSeveralSlices) {
  SetDescription description = small_set();
  description.grid.extents = {14, 1024, 1024};  // 4 MiB hold 4 slices, 2 divide 14
  study::StoredStudy study = small_study(small_set(), 0);
  study.scans[0].geometry.extents = description.grid.extents;
  study.scans[0].voxels = small_voxels(description, 0, 0);
  const std::int64_t place = 0;
  write_shard(*local_, folder(), 0, description, {&study, 1}, {&place, 1});
  finish_set(*local_, folder(), 1);
  EXPECT_EQ(read_scan(*open(), 0, 0), study.scans[0].voxels);
  EXPECT_EQ(read_scan(*open({.mode = ReadMode::independent}), 0, 0), study.scans[0].voxels);
}

TEST_F(Shards, ASetWithoutLabelsReportsOrProfile) {
  SetDescription description = small_set();
  description.label_names.clear();
  description.profile.clear();
  study::StoredStudy study = small_study(small_set(), 0);
  study.labels.clear();
  study.report.clear();
  study.split.clear();
  study.scans[0].instances.clear();
  const std::int64_t place = 0;
  write_shard(*local_, folder(), 0, description, {&study, 1}, {&place, 1});
  finish_set(*local_, folder(), 1);
  const auto set = open();
  EXPECT_TRUE(set->labels(0).empty());
  EXPECT_TRUE(set->report(0).empty());
  EXPECT_EQ(set->profile(), "");
  EXPECT_EQ(set->split(0), "");
  EXPECT_TRUE(set->record(0, 0).instances.empty());
}

TEST_F(Shards, TheProbeChoosesAWay) {
  write(small_set());
  EXPECT_EQ(open()->mode(), ReadMode::direct) << "a small set is not probed";
}

TEST_F(Shards, WrongRequestsAreNamed) {
  write(small_set());
  const auto set = open();
  std::vector<std::byte> memory(120);
  const auto read = [&](std::int64_t study, std::int64_t scan, std::int64_t first, std::int64_t count) {
    const data::ReadRequest request{study, scan, first, count, memory};
    set->read({&request, 1});
  };
  using fixtures::message_of;
  EXPECT_NE(message_of([&] { read(10, 0, 0, 6); }, ErrorKind::usage).find("there is no study 10 among 10"),
            std::string::npos);
  EXPECT_NE(message_of([&] { read(0, 1, 0, 6); }, ErrorKind::usage).find("no scan 1 among 1"), std::string::npos);
  EXPECT_NE(message_of([&] { read(0, 0, 1, 6); }, ErrorKind::usage).find("slices [1, 1 + 6) of 6"), std::string::npos);
  EXPECT_NE(message_of([&] { read(0, 0, 0, 5); }, ErrorKind::usage).find("5 slices are 100 bytes, room is for 120"),
            std::string::npos);
  EXPECT_NE(message_of([&] { open({.mode = ReadMode::collective}); }, ErrorKind::usage).find("start them with mpirun"),
            std::string::npos);
}

}  // namespace
}  // namespace strata::io
