// SPDX-License-Identifier: Apache-2.0
#include "strata/data/shuffled_reports.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/fixtures/memory_source.hpp"

namespace strata::data {
namespace {

TEST(ShuffledReports, NobodyKeepsTheirOwnAndNoneIsLost) {
  fixtures::MemorySourceOptions options;
  options.studies = 34;
  const auto source = std::make_shared<fixtures::MemorySource>(options);
  const auto shuffled = with_shuffled_reports(source, 5), other = with_shuffled_reports(source, 6);
  std::multiset<std::vector<std::string>> before, after;
  bool differs = false;
  for (std::int64_t i = 0; i < 34; ++i) {
    before.insert(source->report(i));
    after.insert(shuffled->report(i));
    if (!source->report(i).empty()) {
      EXPECT_NE(source->report(i), shuffled->report(i)) << "study " << i;
    }
    EXPECT_EQ(shuffled->report(i), with_shuffled_reports(source, 5)->report(i));
    differs = differs || shuffled->report(i) != other->report(i);
    EXPECT_EQ(shuffled->labels(i)[0] == source->labels(i)[0], source->labels(i)[0] == source->labels(i)[0]);
    EXPECT_EQ(shuffled->key(i), source->key(i));
  }
  EXPECT_EQ(before, after);
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace strata::data
