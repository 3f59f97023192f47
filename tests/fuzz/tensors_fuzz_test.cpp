// SPDX-License-Identifier: Apache-2.0
// The readers of tensors under thousands of deterministic mutations of valid files, and under the corpus that
// libFuzzer starts from.
#include <gtest/gtest.h>

#include <array>

#include "tests/fixtures/safetensors_bytes.hpp"
#include "tests/fuzz/feed.hpp"
#include "tests/fuzz/fuzz_targets.hpp"
#include "tests/fuzz/mutate.hpp"

namespace strata::fuzz {
namespace {

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

TEST(FuzzSafetensors, MutatedBytes) {
  feed_mutations(fuzz_safetensors, 1, [](Dice& dice) {
    const Seed& seed = kSafetensors[dice.below(kSafetensors.size())];
    return mutate_bytes(whole_file(seed, seed.text), dice);
  });
}

TEST(FuzzSafetensors, EditedHeaders) {
  feed_mutations(fuzz_safetensors, 2, [](Dice& dice) {
    const Seed& seed = kSafetensors[dice.below(kSafetensors.size())];
    return whole_file(seed, mutate_text(seed.text, kNumbers, kStrings, dice));
  });
}

TEST(FuzzNpy, MutatedBytes) {
  feed_mutations(fuzz_npy, 3, [](Dice& dice) {
    const Seed& seed = kNpy[dice.below(kNpy.size())];
    return mutate_bytes(whole_file(seed, seed.text), dice);
  });
}

TEST(FuzzNpy, EditedHeaders) {
  feed_mutations(fuzz_npy, 4, [](Dice& dice) {
    const Seed& seed = kNpy[dice.below(kNpy.size())];
    return whole_file(seed, mutate_text(seed.text, kNpyNumbers, kNpyStrings, dice));
  });
}

TEST(FuzzCorpus, Safetensors) { feed_corpus("safetensors", fuzz_safetensors, 10); }
TEST(FuzzCorpus, SafetensorsHeader) { feed_corpus("safetensors_header", fuzz_safetensors_header, 10); }
TEST(FuzzCorpus, Npy) { feed_corpus("npy", fuzz_npy, 8); }

}  // namespace
}  // namespace strata::fuzz
