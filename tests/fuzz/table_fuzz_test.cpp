// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>

#include "tests/fuzz/feed.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace strata::fuzz {
namespace {

constexpr std::array<std::string_view, 8> kNumbers{"0", "-1", "1e999", "nan", "18446744073709551616", "", "1.5", "007"};
constexpr std::array<std::string_view, 8> kStrings{"",        "accession", "report", "study_uid",
                                                   "\\u0000", "\\ud800",   "\xff",   "a\"\"b"};

TEST(FuzzCsv, Seeds) { feed_seeds(fuzz_csv, csv_seeds()); }
TEST(FuzzJsonLines, Seeds) { feed_seeds(fuzz_json_lines, json_lines_seeds()); }

TEST(FuzzCsv, MutatedBytes) {
  feed_mutations(fuzz_csv, 8, [seeds = csv_seeds()](Dice& dice) {
    return mutate_bytes(seeds[dice.below(seeds.size())].bytes, dice);
  });
}

TEST(FuzzJsonLines, MutatedBytes) {
  feed_mutations(fuzz_json_lines, 9, [seeds = json_lines_seeds()](Dice& dice) {
    return mutate_bytes(seeds[dice.below(seeds.size())].bytes, dice);
  });
}

TEST(FuzzJsonLines, EditedText) {
  feed_mutations(fuzz_json_lines, 10, [seeds = json_lines_seeds()](Dice& dice) {
    return mutate_text(seeds[dice.below(seeds.size())].bytes, kNumbers, kStrings, dice);
  });
}

TEST(FuzzTables, Found) {
  feed_found("csv", fuzz_csv);
  feed_found("json_lines", fuzz_json_lines);
}

}  // namespace
}  // namespace strata::fuzz
