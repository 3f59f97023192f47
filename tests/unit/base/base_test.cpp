// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "strata/base/error.hpp"
#include "strata/base/half.hpp"
#include "strata/base/random.hpp"

namespace strata {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known answers of the Random123 distribution, philox4x32 with 10 rounds.
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const std::uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, CountersOfDifferentPlacesDiffer) {
  std::set<Words> seen;
  for (const std::uint64_t ordinal : {0ull, 1ull, 1ull << 32})
    for (const std::uint32_t layer : {0u, 1u, 4095u})
      for (const std::uint32_t part : {0u, 1u, 0xfffffu})
        for (const std::uint32_t block : {0u, 1u})
          EXPECT_TRUE(seen.insert(RandomCounter{ordinal, layer, part, block}.words()).second);
}

TEST(Random, KeysDependOnSeedAndPurpose) {
  std::set<std::array<std::uint32_t, 2>> seen;
  for (std::uint64_t seed = 0; seed < 10; ++seed)
    for (const auto purpose : {RandomPurpose::initialisation, RandomPurpose::dropout, RandomPurpose::test})
      EXPECT_TRUE(seen.insert(RandomKey{seed, purpose}.words()).second);
}

TEST(Random, AnElementIsAWordOfItsBlock) {
  const RandomKey key{7, RandomPurpose::test};
  const RandomCounter counter{.ordinal = 3, .layer = 2, .part = 1, .block = 0};
  for (std::uint64_t element = 0; element < 12; ++element) {
    RandomCounter block = counter;
    block.block = static_cast<std::uint32_t>(element / 4);
    EXPECT_EQ(random_word(key, counter, element), random_words(key, block)[element % 4]);
  }
}

TEST(Random, UniformNumbersStayInTheirIntervals) {
  EXPECT_EQ(uniform_float(0), 0.0f);
  EXPECT_LT(uniform_float(0xffffffff), 1.0f);
  EXPECT_GT(uniform_open(0, 0), 0.0);
  EXPECT_LT(uniform_open(0xffffffff, 0xffffffff), 1.0);
  EXPECT_EQ(random_below(0xffffffff, 7), 6u);
  EXPECT_EQ(random_below(0, 7), 0u);
}

TEST(Random, MomentsOfUniformNumbers) {
  double sum = 0, squares = 0;
  const int n = 40000;
  for (int i = 0; i < n; ++i) {
    const double u =
        static_cast<double>(uniform_float(random_word({11, RandomPurpose::test}, {}, static_cast<std::uint64_t>(i))));
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / n, 0.5, 0.006);  // four standard errors
  EXPECT_NEAR(squares / n, 1.0 / 3, 0.006);
}

float rounded(float value) { return static_cast<float>(BFloat16(value)); }

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(rounded(1.0f), 1.0f);
  EXPECT_EQ(rounded(1.0f + 0x1p-8f), 1.0f);                // a tie goes to the even neighbour, below
  EXPECT_EQ(rounded(1.0f + 3 * 0x1p-8f), 1.0f + 0x1p-6f);  // and here above
  EXPECT_EQ(rounded(1.0f + 0x1p-8f + 0x1p-20f), 1.0f + 0x1p-7f);
  EXPECT_EQ(rounded(-1.0f - 0x1p-8f - 0x1p-20f), -1.0f - 0x1p-7f);
  EXPECT_TRUE(std::signbit(rounded(-0.0f)));
  EXPECT_EQ(rounded(0x1p-133f), 0x1p-133f);  // the smallest subnormal
}

TEST(BFloat16, KeepsNanAndOverflowsToInfinity) {
  EXPECT_TRUE(std::isnan(rounded(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(rounded(std::bit_cast<float>(0x7f800001u))));  // its payload lies in the bits cut off
  EXPECT_TRUE(std::isinf(rounded(std::numeric_limits<float>::max())));
  EXPECT_EQ(rounded(-std::numeric_limits<float>::infinity()), -std::numeric_limits<float>::infinity());
}

TEST(BFloat16, EveryValueSurvivesTheWayToFloatAndBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto value = BFloat16::from_bits(static_cast<std::uint16_t>(bits));
    const auto wide = static_cast<float>(value);
    if (std::isnan(wide)) continue;
    ASSERT_EQ(BFloat16(wide).bits, bits);
  }
}

TEST(Error, SaysWhatWhereAndWhatToTry) {
  set_thread_rank_label(3);
  try {
    fail(ErrorKind::data, "regroup", "cannot split 1177 tokens", "set data.depth to a multiple of 8");
    FAIL() << "no exception";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[regroup] cannot split 1177 tokens (rank 3): set data.depth to a multiple of 8");
    EXPECT_EQ(error.exit_code(), 3);
    const std::string block = error.block();
    EXPECT_NE(block.find("error (data): [regroup] cannot split 1177 tokens\n"), std::string::npos) << block;
    EXPECT_NE(block.find("where: base_test.cpp:"), std::string::npos) << block;
    EXPECT_NE(block.find("rank:  3\n"), std::string::npos) << block;
    EXPECT_NE(block.find("try:   set data.depth"), std::string::npos) << block;
  }
  set_thread_rank_label(-1);
  try {
    fail(ErrorKind::usage, "x", "y");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[x] y");
    EXPECT_EQ(error.block().find("rank"), std::string::npos);
    EXPECT_EQ(error.block().find("try"), std::string::npos);
  }
}

TEST(Error, ChecksBuildTheirMessageOnFailureOnly) {
  int built = 0;
  const auto message = [&] { return std::to_string(++built); };
  STRATA_CHECK(true, usage, "x", message());
  EXPECT_EQ(built, 0);
  EXPECT_THROW(STRATA_CHECK(false, usage, "x", message(), "hint"), Error);
  EXPECT_EQ(built, 1);
}

TEST(NearestName, OffersWhatIsNearAndNothingElse) {
  const std::vector<std::string> names{"learning_rate", "weight_decay", "steps"};
  EXPECT_EQ(nearest_name("learnin_rate", names), "learning_rate");
  EXPECT_EQ(nearest_name("step", names), "steps");
  EXPECT_EQ(nearest_name("q", names), "");
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("", "abc"), 3);
}

}  // namespace
}  // namespace strata
