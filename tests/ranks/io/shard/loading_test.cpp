// SPDX-License-Identifier: Apache-2.0
//
// From shards to batches over ranks: however many share the work, every step has the same studies with the same scans,
// sentences and voxels, also after a restart in the middle.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "io/shard/shard_set.hpp"
#include "parallel/comm/local.hpp"
#include "strata/comm/bytes.hpp"
#include "strata/data/loader.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_shards.hpp"
#include "tests/support/ranks.hpp"

namespace strata::data {
namespace {

constexpr std::int64_t kStudies = 4 * 6, kBatch = 5, kSteps = 8;  // more than an epoch

LoaderOptions options_of(const comm::Communicator& world) {
  LoaderOptions options;
  options.seed = 9;
  options.batch_studies = kBatch;
  options.max_scans = 2;
  options.shuffle_sentences = true;
  options.packing.tokens_a_scan = 10;
  options.packing.token_budget = 40;
  options.rank = world.rank();
  options.ranks = world.size();
  return options;
}

// Everything that training would see of a study, as a line that begins with its place in the order.
std::string line_of(const Batch& batch, std::size_t b) {
  std::string line = fmt::format("{:06} {} |", batch.ordinals[b], batch.keys[b]);
  const auto scan_bytes = batch.scans.bytes() / static_cast<std::size_t>(batch.scans.dim(0));
  for (auto s = batch.study_offsets[b]; s < batch.study_offsets[b + 1]; ++s) {
    const auto* voxels =
        static_cast<const unsigned char*>(batch.scans.raw()) + static_cast<std::size_t>(s) * scan_bytes;
    std::uint64_t hash = 0xcbf29ce484222325ull;
    for (std::size_t i = 0; i < scan_bytes; ++i) hash = (hash ^ voxels[i]) * 0x100000001b3ull;
    line += fmt::format(" {}:{:016x}", batch.scan_indexes[static_cast<std::size_t>(s)], hash);
  }
  for (const auto& sentence : batch.reports[b]) line += " '" + sentence + "'";
  return line + "\n";
}

// This rank's studies of steps [first, kSteps).
std::string load(comm::Communicator& world, const std::string& folder, io::ReadMode mode, std::int64_t first) {
  const std::shared_ptr<const StudySource> source = io::open_shards(folder, {.mode = mode}, world);
  Loader loader({{source, 0}}, options_of(world));
  loader.seek({.seed = 9, .position = first * kBatch});
  std::string lines;
  for (std::int64_t step = first; step < kSteps;) {
    const auto batch = loader.next();
    if (!batch) break;
    for (std::size_t b = 0; b < static_cast<std::size_t>(batch->studies()); ++b) lines += line_of(*batch, b);
    if (batch->last_of_step()) ++step;
  }
  return lines;
}

std::vector<std::string> sorted(const std::vector<std::string>& texts) {
  std::vector<std::string> lines;
  for (const auto& text : texts)
    for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      lines.push_back(text.substr(begin, end - begin));
  std::ranges::sort(lines);
  return lines;
}

void expect_order_of_one_rank(comm::Communicator& world, io::ReadMode mode) {
  SCOPED_TRACE(io::name_of(mode));
  const fixtures::ScratchFolder scratch;
  const std::string folder = comm::broadcast_text(world, scratch.path().string());
  fixtures::write_small_set(world, folder, fixtures::small_set(), 4, kStudies / 4);
  const auto alone = comm::make_local();
  const auto expected = sorted({load(*alone, folder, io::ReadMode::direct, 0)});
  ASSERT_EQ(expected.size(), static_cast<std::size_t>(kBatch * kSteps));
  EXPECT_EQ(sorted(comm::gather_texts(world, load(world, folder, mode, 0))), expected);
  // A new start in the middle: what comes is what would have come.
  const std::vector<std::string> rest(expected.begin() + 3 * kBatch, expected.end());
  EXPECT_EQ(sorted(comm::gather_texts(world, load(world, folder, mode, 3))), rest);
  world.barrier().wait();
}

TEST(Loading, StepsAreTheSameOnAnyNumberOfRanks) {
  testing::run_ranks([](comm::Communicator& world) {
    expect_order_of_one_rank(world, io::ReadMode::direct);
    expect_order_of_one_rank(world, io::ReadMode::probe);
    if (world.transport() == "mpi") expect_order_of_one_rank(world, io::ReadMode::collective);
  });
}

}  // namespace
}  // namespace strata::data
