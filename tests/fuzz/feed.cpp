// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/feed.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/fixtures/safetensors_bytes.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::fuzz {
namespace {

struct Tally {
  std::uint64_t accepted = 0, refused = 0;
};

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

void feed(Target target, const std::string& bytes, Tally& tally, const std::string& what) {
  try {
    ++(target(fixtures::as_bytes(bytes)) ? tally.accepted : tally.refused);
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << ": " << error.what() << "\nbytes " << hex(bytes);
  }
}

Tally feed_folder(const std::filesystem::path& folder, Target target) {
  Tally tally;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    feed(target, fixtures::read_all(entry.path().string()), tally, entry.path().filename().string());
  return tally;
}

std::filesystem::path corpus(const std::string& folder) { return std::filesystem::path(STRATA_FUZZ_CORPUS) / folder; }

}  // namespace

void feed_mutations(Target target, std::uint64_t seed, const std::function<std::string(Dice&)>& make,
                    std::uint64_t rounds) {
  Tally tally;
  for (std::uint64_t round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    Dice dice(seed, round);
    feed(target, make(dice), tally, "seed " + std::to_string(seed) + " round " + std::to_string(round));
  }
  EXPECT_GT(tally.accepted, rounds / 100);
  EXPECT_GT(tally.refused, rounds / 5);
  testing::Test::RecordProperty("accepted", static_cast<int>(tally.accepted));
  testing::Test::RecordProperty("refused", static_cast<int>(tally.refused));
}

void feed_seeds(Target target, std::span<const Seed> seeds) {
  for (const Seed& seed : seeds) {
    Tally tally;
    feed(target, seed.bytes, tally, seed.name);
    EXPECT_EQ(tally.accepted, 1u) << seed.name;
  }
}

void feed_corpus(const std::string& folder, Target target, std::uint64_t least) {
  const Tally tally = feed_folder(corpus(folder), target);
  EXPECT_GT(tally.accepted, 0u);
  EXPECT_GE(tally.refused, least);
}

void feed_found(const std::string& folder, Target target) {
  if (std::filesystem::exists(corpus(folder))) feed_folder(corpus(folder), target);
}

}  // namespace strata::fuzz
