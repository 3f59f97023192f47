// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/fuzz/feed.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace strata::fuzz {
namespace {

constexpr std::size_t kReach = 544;  // the longer of the two headers, and the extension flag

TEST(FuzzNifti, Seeds) { feed_seeds(fuzz_nifti, nifti_seeds()); }

TEST(FuzzNifti, MutatedBytes) {
  feed_mutations(fuzz_nifti, 5, [seeds = nifti_seeds()](Dice& dice) {
    return mutate_bytes(seeds[dice.below(seeds.size())].bytes, dice);
  });
}

TEST(FuzzNifti, FearedWords) {
  feed_mutations(fuzz_nifti, 6, [seeds = nifti_seeds()](Dice& dice) {
    return mutate_words(seeds[dice.below(seeds.size())].bytes, kReach, dice);
  });
}

TEST(FuzzNifti, FearedWordsBeforeVoxels) {
  feed_mutations(fuzz_nifti_header, 7, [seeds = nifti_seeds()](Dice& dice) {
    return mutate_words(seeds[dice.below(seeds.size())].bytes.substr(0, kReach), kReach, dice);
  });
}

TEST(FuzzNifti, Found) {
  feed_found("nifti", fuzz_nifti);
  feed_found("nifti_header", fuzz_nifti_header);
}

}  // namespace
}  // namespace strata::fuzz
