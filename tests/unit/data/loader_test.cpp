// SPDX-License-Identifier: Apache-2.0
#include "strata/data/loader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "strata/data/draws.hpp"
#include "strata/data/subset_source.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/memory_source.hpp"

namespace strata::data {
namespace {

using fixtures::MemorySource;
using fixtures::MemorySourceOptions;

std::shared_ptr<MemorySource> source_of(const MemorySourceOptions& options) {
  return std::make_shared<MemorySource>(options);
}

std::vector<WeightedSet> two_sets() {
  MemorySourceOptions a, b;
  a.name = "a";
  a.studies = 23;
  a.max_scans = 7;
  b.name = "b";
  b.studies = 9;
  b.seed = 2;
  b.labels = {"bleed", "age"};
  return {{source_of(a), 2}, {source_of(b), 1}};
}

LoaderOptions small_options() {
  LoaderOptions options;
  options.seed = 17;
  options.batch_studies = 8;
  options.max_scans = 5;
  options.shuffle_sentences = true;
  options.packing = {.tokens_a_scan = 10, .token_budget = 80};
  return options;
}

// All that a step gives to the model, by ordinal.
struct Sample {
  std::string key;
  std::int64_t set = 0, micro_batch = 0;
  std::vector<std::int64_t> scans;
  std::vector<std::string> report;
  std::vector<std::string> labels;  // as text, so that NaN equals NaN
  std::vector<std::uint8_t> voxels;
  bool operator==(const Sample&) const = default;
};
using Samples = std::map<std::int64_t, Sample>;

void add_samples(const Batch& batch, std::size_t label_columns, Samples& samples) {
  const auto scan_bytes = batch.empty() ? 0 : batch.scans.bytes() / static_cast<std::size_t>(batch.scans.dim(0));
  const auto* voxels = static_cast<const std::uint8_t*>(batch.scans.raw());
  for (std::size_t b = 0; b < static_cast<std::size_t>(batch.studies()); ++b) {
    Sample sample;
    sample.key = batch.keys[b];
    sample.set = batch.sets[b];
    sample.micro_batch = batch.micro_batch;
    sample.report = batch.reports[b];
    for (std::size_t i = 0; i < label_columns; ++i)
      sample.labels.push_back(std::to_string(batch.labels[b * label_columns + i]));
    const auto begin = static_cast<std::size_t>(batch.study_offsets[b]);
    const auto end = static_cast<std::size_t>(batch.study_offsets[b + 1]);
    sample.scans.assign(batch.scan_indexes.begin() + static_cast<std::ptrdiff_t>(begin),
                        batch.scan_indexes.begin() + static_cast<std::ptrdiff_t>(end));
    sample.voxels.assign(voxels + begin * scan_bytes, voxels + end * scan_bytes);
    EXPECT_TRUE(samples.emplace(batch.ordinals[b], std::move(sample)).second) << "twice: " << batch.ordinals[b];
  }
}

// Steps [first, last) as all ranks together see them.
Samples samples_of(LoaderOptions options, int ranks, std::int64_t first, std::int64_t last,
                   std::vector<WeightedSet> sets = two_sets()) {
  Samples samples;
  for (int rank = 0; rank < ranks; ++rank) {
    options.rank = rank;
    options.ranks = ranks;
    Loader loader(sets, options);
    loader.seek({options.seed, first * options.batch_studies});
    while (loader.state().position < last * options.batch_studies) {
      const auto batch = loader.next();
      if (!batch) break;
      add_samples(*batch, loader.mixture().label_names().size(), samples);
    }
  }
  return samples;
}

TEST(Loader, BatchesHoldTheStudiesTheyName) {
  const auto sets = two_sets();
  const auto samples = samples_of(small_options(), 1, 0, 12, sets);
  ASSERT_EQ(samples.size(), 96u);
  const Mixture mixture(sets, 17, StudyOrder::shuffled);
  for (const auto& [ordinal, sample] : samples) {
    const auto ref = mixture.at(ordinal);
    const auto& source = dynamic_cast<const MemorySource&>(mixture.source(ref.set));
    ASSERT_EQ(sample.key, source.key(ref.study));
    ASSERT_EQ(sample.scans, keep_scans(source.scans(ref.study), 5, 17, ordinal));
    std::size_t at = 0;
    for (const auto scan : sample.scans)
      for (std::int64_t place = 0; place < source.grid().scan_bytes(); ++place)
        ASSERT_EQ(sample.voxels[at++], static_cast<std::uint8_t>(source.voxel(ref.study, scan, place)));
    ASSERT_EQ(at, sample.voxels.size());
    auto sentences = source.report(ref.study);
    std::vector<std::string> expected;
    for (const auto i : sentence_order(static_cast<std::int64_t>(sentences.size()), 17, ordinal))
      expected.push_back(sentences[static_cast<std::size_t>(i)]);
    EXPECT_EQ(sample.report, expected);
    const std::string age = ref.study % 5 == 4 && ref.set == 0 ? "nan" : std::to_string(static_cast<float>(ref.study));
    EXPECT_EQ(sample.labels[0], age);
    EXPECT_EQ(sample.labels.size(), 2u);
  }
}

TEST(Loader, SamplesAndDrawsAreTheSameOnAnyNumberOfRanks) {
  const auto one = samples_of(small_options(), 1, 0, 10);
  ASSERT_EQ(one.size(), 80u);
  for (const int ranks : {2, 3, 8}) EXPECT_EQ(samples_of(small_options(), ranks, 0, 10), one) << ranks << " ranks";
}

TEST(Loader, SamplesAreTheSameAfterARestartInMidEpoch) {
  const auto whole = samples_of(small_options(), 1, 0, 14);
  auto parts = samples_of(small_options(), 3, 0, 5);  // 40 studies: the first epoch of 32 has ended
  parts.merge(samples_of(small_options(), 2, 5, 6));
  parts.merge(samples_of(small_options(), 8, 6, 14));
  EXPECT_EQ(parts, whole);
}

TEST(Loader, SamplesDoNotDependOnThreadsBuffersOrCache) {
  const auto expected = samples_of(small_options(), 1, 0, 10);
  for (const int threads : {1, 3, 8}) {
    auto options = small_options();
    options.threads = threads;
    EXPECT_EQ(samples_of(options, 2, 0, 10), expected) << threads << " threads";
  }
  auto options = small_options();
  options.buffer_bytes = 2 * 8 * 120;  // two micro-batches of eight scans
  EXPECT_EQ(samples_of(options, 1, 0, 10), expected);
  for (const std::int64_t scans : {1, 20, 1000}) {
    options.cache_bytes = scans * 120;
    EXPECT_EQ(samples_of(options, 1, 0, 10), expected) << "cache of " << scans << " scans";
  }
}

TEST(Loader, AnotherSeedIsAnotherOrder) {
  auto options = small_options();
  const auto one = samples_of(options, 1, 0, 4);
  options.seed = 18;
  const auto other = samples_of(options, 1, 0, 4);
  int same = 0;
  for (const auto& [ordinal, sample] : one) same += other.at(ordinal).key == sample.key;
  EXPECT_LT(same, 10);
}

TEST(Loader, StepsAreWholeOnAllRanks) {
  auto options = small_options();
  options.ranks = 3;
  std::vector<std::unique_ptr<Loader>> loaders;
  for (options.rank = 0; options.rank < 3; ++options.rank)
    loaders.push_back(std::make_unique<Loader>(two_sets(), options));
  for (std::int64_t step = 0; step < 6; ++step) {
    const StepPlan plan = loaders[0]->plan(step);
    std::vector<int> seen(8, 0);
    for (std::size_t rank = 0; rank < 3; ++rank) {
      for (std::size_t round = 0; round < plan.rounds[rank].size(); ++round) {
        const auto batch = loaders[rank]->next();
        ASSERT_TRUE(batch.has_value());
        EXPECT_EQ(batch->step, step);
        EXPECT_EQ(batch->round, static_cast<std::int64_t>(round));
        EXPECT_EQ(batch->rounds, static_cast<std::int64_t>(plan.rounds[rank].size()));
        EXPECT_EQ(batch->micro_batch, plan.rounds[rank][round]);
        EXPECT_EQ(batch->step_studies, 8);
        EXPECT_EQ(batch->scans.dim(0), batch->study_offsets.back());
        EXPECT_LE(batch->study_offsets.back() * 10, 80);
        for (const auto member : batch->members) ++seen[static_cast<std::size_t>(member)];
      }
    }
    EXPECT_EQ(seen, std::vector<int>(8, 1));
  }
}

TEST(Loader, RanksWithoutWorkGetEmptyBatches) {
  auto options = small_options();
  options.ranks = 40;
  options.rank = 39;
  Loader loader(two_sets(), options);
  for (int i = 0; i < 50; ++i) {
    const auto batch = loader.next();
    ASSERT_TRUE(batch.has_value());
    EXPECT_TRUE(batch->empty());
    EXPECT_EQ(batch->micro_batch, -1);
    EXPECT_EQ(batch->scans.shape(), (Shape{0, 1, 4, 6, 5}));
    EXPECT_TRUE(batch->last_of_step());
  }
}

TEST(Loader, EvaluationSeesEveryStudyOnceAsItStands) {
  auto options = small_options();
  options.order = StudyOrder::sequential;
  const auto sets = two_sets();
  for (const int ranks : {1, 3}) {
    const auto samples = samples_of(options, ranks, 0, 1000, sets);
    ASSERT_EQ(samples.size(), 32u);
    for (const auto& [ordinal, sample] : samples) {
      const auto& source = *sets[ordinal < 23 ? 0 : 1].source;
      const std::int64_t study = ordinal < 23 ? ordinal : ordinal - 23;
      EXPECT_EQ(sample.key, source.key(study));
      EXPECT_EQ(sample.report, source.report(study));
      ASSERT_EQ(static_cast<std::int64_t>(sample.scans.size()), std::min<std::int64_t>(5, source.scans(study)));
      for (std::size_t i = 0; i < sample.scans.size(); ++i) EXPECT_EQ(sample.scans[i], static_cast<std::int64_t>(i));
    }
  }
  options.batch_studies = 10;
  Loader loader(sets, options);
  EXPECT_EQ(loader.steps(), 4);
  std::int64_t last = 0;
  while (const auto batch = loader.next()) last = batch->step_studies;
  EXPECT_EQ(last, 2);
  EXPECT_FALSE(loader.next().has_value());
  EXPECT_EQ(loader.state().position, 40);
  loader.seek({options.seed, 30});
  EXPECT_EQ(loader.next()->step, 3);
}

TEST(Loader, StateIsTheBeginningOfTheFirstUnfinishedStep) {
  auto options = small_options();
  options.packing.token_budget = 50;
  Loader loader(two_sets(), options);
  EXPECT_EQ(loader.state(), (LoaderState{17, 0}));
  auto batch = loader.next();
  ASSERT_GT(batch->rounds, 1);
  EXPECT_EQ(loader.state(), (LoaderState{17, 0}));
  const auto first = batch->ordinals;
  while (!batch->last_of_step()) batch = loader.next();
  EXPECT_EQ(loader.state(), (LoaderState{17, 8}));
  loader.seek({17, 0});
  EXPECT_EQ(loader.next()->ordinals, first);
  loader.seek({18, 16});
  EXPECT_EQ(loader.state(), (LoaderState{18, 16}));
  EXPECT_EQ(loader.next()->step, 2);
  EXPECT_EQ(loader.mixture().seed(), 18u);
  fixtures::expect_error(
      [&] {
        loader.seek({17, 9});
      },
      ErrorKind::usage,
      "[loader] position 9 is not the beginning of a step of 8 studies: go on with the batch size "
      "that the position was reached with, or one that divides it");
}

TEST(Loader, ReadsOnlyItsOwnScansEachOnce) {
  MemorySourceOptions source_options;
  source_options.studies = 40;
  auto options = small_options();
  options.order = StudyOrder::sequential;
  std::int64_t all = 0;
  for (options.ranks = 4, options.rank = 0; options.rank < 4; ++options.rank) {
    const auto source = source_of(source_options);
    Loader loader({{source, 0}}, options);
    std::int64_t scans = 0;
    while (const auto batch = loader.next()) scans += batch->scans.dim(0);
    EXPECT_EQ(source->scans_served(), scans);
    EXPECT_EQ(loader.statistics().scans, scans);
    EXPECT_EQ(loader.statistics().bytes_read, scans * 120);
    all += scans;
  }
  const auto source = source_of(source_options);
  std::int64_t expected = 0;
  for (std::int64_t i = 0; i < 40; ++i) expected += source->scans(i);
  EXPECT_EQ(all, expected);
}

TEST(Loader, CacheServesWhatItHolds) {
  MemorySourceOptions source_options;
  source_options.studies = 16;
  const auto source = source_of(source_options);
  auto options = small_options();
  options.order = StudyOrder::sequential;
  options.cache_bytes = 20 * 120 + 7;
  Loader loader({{source, 0}}, options);
  const auto pass = [&] {
    loader.seek({options.seed, 0});
    while (loader.next()) {
    }
    return loader.statistics();
  };
  const auto first = pass();
  EXPECT_EQ(first.cache_hits, 0);
  EXPECT_EQ(first.cache_misses, first.scans);
  EXPECT_EQ(first.cache_bytes, 20 * 120);
  const auto second = pass();
  EXPECT_EQ(second.cache_hits, 20) << "what came first stays";
  EXPECT_EQ(second.cache_bytes, 20 * 120);
  EXPECT_EQ(second.bytes_read, first.bytes_read + (first.scans - 20) * 120);
}

TEST(Loader, SubsetsOfOneSourceMix) {
  MemorySourceOptions source_options;
  source_options.studies = 40;
  const auto source = source_of(source_options);
  StudySelection train, val;
  train.splits = {"train"};
  val.splits = {"val"};
  Loader loader({{select_studies(source, train), 1}, {select_studies(source, val), 1}}, small_options());
  for (int i = 0; i < 10; ++i) {
    const auto batch = loader.next();
    for (std::size_t b = 0; b < batch->keys.size(); ++b) {
      const auto study = std::stoll(batch->keys[b].substr(batch->keys[b].find('-') + 1));
      EXPECT_EQ(batch->sets[b], study % 4 == 3 ? 1 : 0);
    }
  }
}

TEST(Loader, RefusesOptionsOutOfRange) {
  const auto refused = [](auto change, const std::string& sentence) {
    auto options = small_options();
    change(options);
    fixtures::expect_error([&] { Loader(two_sets(), options); }, ErrorKind::usage, sentence);
  };
  refused([](auto& o) { o.batch_studies = 0; }, "[loader] a global batch of 0 studies");
  refused([](auto& o) { o.rank = 2, o.ranks = 2; }, "[loader] rank 2 of 2");
  refused([](auto& o) { o.threads = 0; }, "[loader] 0 threads: must be 1 to 256");
  refused([](auto& o) { o.packing.token_budget = 0; },
          "[packing] 10 tokens a scan, a budget of 0 tokens, micro-batches in multiples of 1: all must be positive");
  refused([](auto& o) { o.buffer_bytes = 1000; },
          "[loader] 1000 bytes of buffers for micro-batches of up to 960 bytes: one is read while another is used: set "
          "buffer_bytes to 1920 or more, or lower max_scans or the token budget");
}

}  // namespace
}  // namespace strata::data
