// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "io/dicom/dicom.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fuzz/feed.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace strata::fuzz {
namespace {

constexpr std::uint64_t kDicomRounds = 1500;  // of about a millisecond

// In the order of their names, so that rounds are the same everywhere.
std::vector<Seed> corpus_files() {
  std::vector<Seed> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(STRATA_FUZZ_CORPUS) + "/dicom"))
    seeds.push_back({entry.path().filename().string(), fixtures::read_all(entry.path().string())});
  std::ranges::sort(seeds, {}, &Seed::name);
  return seeds;
}

TEST(FuzzDicom, Corpus) { feed_corpus("dicom", fuzz_dicom, 2); }

TEST(FuzzDicom, MutatedBytes) {
  feed_mutations(
      fuzz_dicom, 11,
      [seeds = corpus_files()](Dice& dice) { return mutate_bytes(seeds[dice.below(seeds.size())].bytes, dice); },
      kDicomRounds);
}

TEST(FuzzDicom, FearedWords) {
  feed_mutations(
      fuzz_dicom, 12,
      [seeds = corpus_files()](Dice& dice) {
        const Seed& seed = seeds[dice.below(seeds.size())];
        return seed.bytes.substr(0, 132) + mutate_words(seed.bytes.substr(132), seed.bytes.size(), dice);
      },
      kDicomRounds);
}

TEST(FuzzDicom, RecordsOfOtherRanks) {
  io::dicom::register_codecs();
  const auto path = std::string(STRATA_FUZZ_CORPUS) + "/dicom/enhanced";
  const auto record = io::dicom::read_header(path);
  const auto bytes = io::dicom::to_bytes(std::span(&record, 1));
  const std::string sent(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  feed_mutations(
      fuzz_dicom_records, 13, [&](Dice& dice) { return mutate_bytes(sent, dice); }, kDicomRounds);
}

TEST(FuzzDicom, Found) { feed_found("dicom_found", fuzz_dicom); }

}  // namespace
}  // namespace strata::fuzz
