// SPDX-License-Identifier: Apache-2.0
#include "strata/data/mixture.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/memory_source.hpp"

namespace strata::data {
namespace {

using fixtures::MemorySource;
using fixtures::MemorySourceOptions;

std::shared_ptr<MemorySource> source_of(std::int64_t studies, std::string name = "memory") {
  MemorySourceOptions options;
  options.name = std::move(name);
  options.studies = studies;
  return std::make_shared<MemorySource>(options);
}

Mixture mixture_of(std::vector<std::int64_t> studies, std::vector<double> weights, std::uint64_t seed = 3) {
  std::vector<WeightedSet> sets;
  for (std::size_t i = 0; i < studies.size(); ++i)
    sets.push_back({source_of(studies[i], "set" + std::to_string(i)), weights[i]});
  return Mixture(std::move(sets), seed, StudyOrder::shuffled);
}

TEST(Mixture, WithoutWeightsEveryStudyIsSeenOnceAnEpoch) {
  const auto mixture = mixture_of({30, 7, 13}, {0, 0, 0});
  EXPECT_EQ(mixture.studies(), 50);
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    std::set<std::pair<std::int64_t, std::int64_t>> seen;
    for (std::int64_t i = 0; i < 50; ++i) {
      const auto ref = mixture.at(epoch * 50 + i);
      EXPECT_EQ(ref.epoch, epoch);
      seen.insert({ref.set, ref.study});
    }
    EXPECT_EQ(seen.size(), 50u);
  }
}

TEST(Mixture, SharesAreExactInAnyWindow) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const auto mixture = mixture_of({11, 5, 1000, 3}, {6, 2, 10, 4}, seed);
    EXPECT_EQ(mixture.parts(), (std::vector<std::int64_t>{3, 1, 5, 2}));
    for (std::int64_t begin = 0; begin < 60; ++begin) {
      std::vector<std::int64_t> turns(4, 0);
      for (std::int64_t i = 0; i < 11; ++i) ++turns[static_cast<std::size_t>(mixture.at(begin + i).set)];
      EXPECT_EQ(turns, mixture.parts()) << "window at " << begin;
    }
  }
}

TEST(Mixture, EachSetIsThroughBeforeItBeginsAgain) {
  const auto mixture = mixture_of({11, 5, 17}, {0.5, 0.2, 0.3});
  std::vector<std::map<std::int64_t, std::int64_t>> times(3);
  std::vector<std::int64_t> turns(3, 0);
  for (std::int64_t position = 0; position < 2000; ++position) {
    const auto ref = mixture.at(position);
    const auto set = static_cast<std::size_t>(ref.set);
    const std::int64_t n = mixture.source(ref.set).studies();
    EXPECT_EQ(ref.epoch, turns[set]++ / n);
    EXPECT_EQ(times[set][ref.study]++, ref.epoch) << "a study came twice before another came once";
  }
}

TEST(Mixture, TinyWeightsDoNotStarve) {
  EXPECT_EQ(mixture_of({5, 5}, {1.0, 1e-9}).parts(), (std::vector<std::int64_t>{1000000, 1}));
  const auto mixture = mixture_of({5, 5}, {0.9995, 0.0005});
  EXPECT_EQ(mixture.parts(), (std::vector<std::int64_t>{1999, 1}));
  std::int64_t turns = 0;
  for (std::int64_t position = 0; position < 6000; ++position) turns += mixture.at(position).set;
  EXPECT_EQ(turns, 3);
}

TEST(Mixture, ANearlyEvenMixtureAlternates) {
  const auto mixture = mixture_of({5, 5}, {1, 1});
  for (std::int64_t position = 0; position < 100; ++position)
    EXPECT_NE(mixture.at(position).set, mixture.at(position + 1).set);
}

TEST(Mixture, FarPositionsAreFoundAtOnce) {
  const auto mixture = mixture_of({1000003, 17}, {3, 1});
  const std::int64_t far = std::int64_t{1} << 52;
  std::int64_t turns = 0;
  for (std::int64_t i = 0; i < 4000; ++i) {
    const auto ref = mixture.at(far + i);
    turns += ref.set;
    const std::int64_t expected = (far + i) / 4 * (ref.set == 0 ? 3 : 1) / mixture.source(ref.set).studies();
    EXPECT_NEAR(static_cast<double>(ref.epoch), static_cast<double>(expected), 1);
  }
  EXPECT_EQ(turns, 1000);
}

TEST(Mixture, SeedsGiveOtherOrders) {
  const auto one = mixture_of({100}, {0}, 1), other = mixture_of({100}, {0}, 2);
  int same = 0;
  for (std::int64_t i = 0; i < 100; ++i) same += one.at(i) == other.at(i);
  EXPECT_LT(same, 10);
}

TEST(Mixture, SequentialGoesThroughSetAfterSetAndEnds) {
  const Mixture mixture({{source_of(3), 0}, {source_of(2), 0}}, 9, StudyOrder::sequential);
  std::vector<StudyRef> refs;
  for (std::int64_t i = 0; i < 5; ++i) refs.push_back(mixture.at(i));
  EXPECT_EQ(refs, (std::vector<StudyRef>{{0, 0, 0}, {0, 1, 0}, {0, 2, 0}, {1, 0, 0}, {1, 1, 0}}));
  fixtures::expect_error([&] { mixture.at(5); }, ErrorKind::usage, "[mixture] position 5 of 5 studies in sequence");
}

TEST(Mixture, LabelsOfSetsAreJoinedByName) {
  MemorySourceOptions a, b;
  a.labels = {"bleed", "age"};
  b.labels = {"age", "fracture"};
  const Mixture mixture({{std::make_shared<MemorySource>(a), 0}, {std::make_shared<MemorySource>(b), 0}}, 1,
                        StudyOrder::sequential);
  EXPECT_EQ(mixture.label_names(), (std::vector<std::string>{"bleed", "age", "fracture"}));
  std::vector<float> row(3);
  mixture.labels({0, 2, 0}, row);
  EXPECT_EQ(row[0], 2);
  EXPECT_EQ(row[1], 2);
  EXPECT_TRUE(std::isnan(row[2]));
  mixture.labels({1, 3, 0}, row);
  EXPECT_TRUE(std::isnan(row[0]));
  EXPECT_EQ(row[1], 3);
  EXPECT_EQ(row[2], 3);
}

TEST(Mixture, SetsMustAgree) {
  MemorySourceOptions other;
  other.name = "other";
  other.grid.extents = {4, 6, 6};
  fixtures::expect_error(
      [&] {
        Mixture({{source_of(3), 0}, {std::make_shared<MemorySource>(other), 0}}, 1, StudyOrder::shuffled);
      },
      ErrorKind::data,
      "[mixture] sets differ: 'memory' holds 1 channels of 4x6x5 u8 (values v·0.00392157 + 0), 'other' holds 1 "
      "channels of 4x6x6 u8 (values v·0.00392157 + 0): ingest them with one profile");
  fixtures::expect_error(
      [&] {
        Mixture({{source_of(3), 1}, {source_of(3), 0}}, 1, StudyOrder::shuffled);
      },
      ErrorKind::usage,
      "[mixture] 1 of 2 sets have no weight: give every set one, or none for shares by the number "
      "of studies");
  fixtures::expect_error(
      [&] {
        Mixture({{source_of(3), -1}}, 1, StudyOrder::shuffled);
      },
      ErrorKind::usage, "[mixture] set 0 has weight -1: weights are positive numbers");
  fixtures::expect_error([&] { Mixture({}, 1, StudyOrder::shuffled); }, ErrorKind::usage,
                         "[mixture] no sets to take studies from");
}

}  // namespace
}  // namespace strata::data
