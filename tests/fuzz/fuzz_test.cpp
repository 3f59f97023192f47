// SPDX-License-Identifier: Apache-2.0
// The fuzz targets, fed with thousands of deterministic mutations of valid files and with the corpus that libFuzzer
// starts from.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <functional>

#include "tests/fixtures/safetensors_bytes.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/mutate.hpp"

namespace strata::fuzz {
namespace {

constexpr std::uint64_t kRounds = 20000;

using Target = bool (*)(std::span<const std::byte>);

struct Seed {
  std::string head;  // what stands before the text that is edited; for safetensors empty, the length is computed
  std::string text;
  std::string data;
};

const std::array<Seed, 3> kSafetensors{
    {{"",
      R"({"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[],"data_offsets":[24,26]},"c":{"dtype":"F16","shape":[0,5],"data_offsets":[26,26]}}  )",
      std::string(26, '\x11')},
     {"",
      R"({"x":{"dtype":"U8","shape":[1,1,1,1,1,2],"data_offsets":[0,2]},"y":{"data_offsets":[2,18],"dtype":"I64","shape":[2]}})",
      std::string(18, '\x22')},
     {"", "{}", ""}}};
constexpr std::array<std::string_view, 16> kNumbers{"0",
                                                    "1",
                                                    "2",
                                                    "24",
                                                    "26",
                                                    "-1",
                                                    "255",
                                                    "4294967295",
                                                    "4294967296",
                                                    "9223372036854775807",
                                                    "9223372036854775808",
                                                    "18446744073709551615",
                                                    "18446744073709551616",
                                                    "1e3",
                                                    "1.5",
                                                    ""};
constexpr std::array<std::string_view, 16> kStrings{"F32",      "F64",   "BF16",  "F16",          "U8",           "I8",
                                                    "BOOL",     "dtype", "shape", "data_offsets", "__metadata__", "",
                                                    "a.weight", "b",     "\xff",  "\\u0000"};

const std::array<Seed, 2> kNpy{
    {{std::string("\x93NUMPY\1\0", 8), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }     \n",
      std::string(24, '\x11')},
     {std::string("\x93NUMPY\1\0", 8), "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 1, 2), }\n",
      std::string(8, '\x22')}}};
constexpr std::array<std::string_view, 8> kNpyNumbers{
    "0", "1", "2", "3", "-1", "4294967296", "9223372036854775807", "18446744073709551616"};
constexpr std::array<std::string_view, 10> kNpyStrings{"<f4",   ">f8",           "|u1", "<i8", "descr",
                                                       "shape", "fortran_order", "",    "|O",  "\xff"};

std::string whole_file(const Seed& seed, const std::string& text) {
  return seed.head + fixtures::little_endian(text.size(), seed.head.empty() ? 8 : 2) + text + seed.data;
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

struct Tally {
  std::uint64_t accepted = 0, refused = 0;
};

void feed(Target target, const std::string& bytes, Tally& tally, const std::string& what) {
  try {
    ++(target(fixtures::as_bytes(bytes)) ? tally.accepted : tally.refused);
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << ": " << error.what() << "\nbytes " << hex(bytes);
  }
}

Tally run(Target target, std::uint64_t seed, const std::function<std::string(Dice&)>& make) {
  Tally tally;
  for (std::uint64_t round = 0; round < kRounds && !testing::Test::HasFailure(); ++round) {
    Dice dice(seed, round);
    feed(target, make(dice), tally, "seed " + std::to_string(seed) + " round " + std::to_string(round));
  }
  // Mutations that are all refused, or all accepted, test nothing.
  EXPECT_GT(tally.accepted, kRounds / 100);
  EXPECT_GT(tally.refused, kRounds / 4);
  testing::Test::RecordProperty("accepted", static_cast<int>(tally.accepted));
  testing::Test::RecordProperty("refused", static_cast<int>(tally.refused));
  return tally;
}

TEST(FuzzSafetensors, MutatedBytes) {
  run(fuzz_safetensors, 1, [](Dice& dice) {
    const Seed& seed = kSafetensors[dice.below(kSafetensors.size())];
    return mutate_bytes(whole_file(seed, seed.text), dice);
  });
}

TEST(FuzzSafetensors, EditedHeaders) {
  run(fuzz_safetensors, 2, [](Dice& dice) {
    const Seed& seed = kSafetensors[dice.below(kSafetensors.size())];
    return whole_file(seed, mutate_text(seed.text, kNumbers, kStrings, dice));
  });
}

TEST(FuzzNpy, MutatedBytes) {
  run(fuzz_npy, 3, [](Dice& dice) {
    const Seed& seed = kNpy[dice.below(kNpy.size())];
    return mutate_bytes(whole_file(seed, seed.text), dice);
  });
}

TEST(FuzzNpy, EditedHeaders) {
  run(fuzz_npy, 4, [](Dice& dice) {
    const Seed& seed = kNpy[dice.below(kNpy.size())];
    return whole_file(seed, mutate_text(seed.text, kNpyNumbers, kNpyStrings, dice));
  });
}

void feed_corpus(const std::string& folder, Target target, std::uint64_t least) {
  Tally tally;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(STRATA_FUZZ_CORPUS) + "/" + folder))
    feed(target, fixtures::read_all(entry.path().string()), tally, entry.path().filename().string());
  EXPECT_GT(tally.accepted, 0u);
  EXPECT_GE(tally.refused, least);
}

TEST(FuzzCorpus, Safetensors) { feed_corpus("safetensors", fuzz_safetensors, 10); }
TEST(FuzzCorpus, SafetensorsHeader) { feed_corpus("safetensors_header", fuzz_safetensors_header, 10); }
TEST(FuzzCorpus, Npy) { feed_corpus("npy", fuzz_npy, 8); }

}  // namespace
}  // namespace strata::fuzz
