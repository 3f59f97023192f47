// SPDX-License-Identifier: Apache-2.0
//
// What a loader does while its threads work: memory, errors, shutdown, ranks that read together.
#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <numeric>
#include <set>

#include "strata/data/loader.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/memory_source.hpp"

namespace strata::data {
namespace {

using fixtures::MemorySource;
using fixtures::MemorySourceOptions;
using namespace std::chrono_literals;

std::shared_ptr<MemorySource> source_of(const MemorySourceOptions& options) {
  return std::make_shared<MemorySource>(options);
}

LoaderOptions options_of(std::int64_t batch_studies, std::int64_t scans_a_batch) {
  LoaderOptions options;
  options.seed = 5;
  options.batch_studies = batch_studies;
  options.packing = {.tokens_a_scan = 1, .token_budget = scans_a_batch};
  return options;
}

// Memory that counts itself.
struct CountedMemory {
  std::atomic<std::int64_t> now{0}, most{0}, taken{0};
  BufferMemory memory() {
    return {[this](std::size_t bytes) {
              const auto size = static_cast<std::int64_t>(bytes);
              const std::int64_t total = now += size;
              std::int64_t seen = most;
              while (total > seen && !most.compare_exchange_weak(seen, total)) {
              }
              ++taken;
              return std::malloc(bytes);
            },
            [this](void* data, std::size_t bytes) {
              now -= static_cast<std::int64_t>(bytes);
              std::free(data);
            }};
  }
};

TEST(LoaderThreads, MemoryStaysWithinItsLimitAndIsUsedAgain) {
  CountedMemory counted;
  {
    MemorySourceOptions source;
    source.studies = 100;
    source.max_scans = 9;
    auto options = options_of(16, 12);
    options.buffer_bytes = 5 * 12 * 120;
    options.threads = 4;
    options.memory = counted.memory();
    Loader loader({{source_of(source), 0}}, options);
    std::vector<Batch> held;
    for (int i = 0; i < 300; ++i) {
      held.push_back(*loader.next());
      if (held.size() == 3) held.erase(held.begin());
    }
    EXPECT_LE(counted.most, options.buffer_bytes);
    EXPECT_EQ(counted.most, loader.statistics().peak_buffer_bytes);
    EXPECT_LE(counted.taken, 5);
  }
  EXPECT_EQ(counted.now, 0);
}

TEST(LoaderThreads, StudiesBeyondTheBudgetFitIntoTheLimitToo) {
  CountedMemory counted;
  MemorySourceOptions source;
  source.studies = 60;
  source.max_scans = 40;
  auto options = options_of(6, 5);
  options.memory = counted.memory();
  options.buffer_bytes = 2 * 40 * 120;
  Loader loader({{source_of(source), 0}}, options);
  std::int64_t longest = 0;
  for (int i = 0; i < 200; ++i) longest = std::max(longest, loader.next()->scans.dim(0));
  EXPECT_GT(longest, 30);
  EXPECT_LE(counted.most, options.buffer_bytes);
}

// Waits for what threads do, but not for ever.
void expect_soon(const std::function<bool()>& holds) {
  for (int i = 0; i < 4000 && !holds(); ++i) std::this_thread::sleep_for(5ms);
  EXPECT_TRUE(holds());
}

TEST(LoaderThreads, ReadsAheadAndThenWaits) {
  MemorySourceOptions source_options;
  source_options.studies = 50;
  const auto source = source_of(source_options);
  auto options = options_of(4, 4);
  options.buffer_bytes = 6 * 4 * 120;  // six micro-batches of four scans at most
  Loader loader({{source, 0}}, options);
  std::vector<std::int64_t> scans;  // of each micro-batch in its turn
  for (std::int64_t step = 0; scans.size() < 7; ++step) {
    const auto plan = loader.plan(step);
    for (const auto i : plan.rounds[0]) scans.push_back(plan.micro_batches[static_cast<std::size_t>(i)].tokens);
  }
  loader.start();
  const std::int64_t ahead = std::accumulate(scans.begin(), scans.begin() + 6, std::int64_t{0});
  expect_soon([&] { return source->scans_served() >= ahead; });
  std::this_thread::sleep_for(30ms);
  EXPECT_EQ(source->scans_served(), ahead);
  loader.next();  // dropped at once: one more is read
  expect_soon([&] { return source->scans_served() == ahead + scans[6]; });
}

TEST(LoaderThreads, ThreadsReadAtTheSameTime) {
  std::mutex mutex;
  std::condition_variable both;
  int inside = 0;
  bool met = false;
  MemorySourceOptions source;
  source.studies = 20;
  source.on_read = [&](auto) {
    std::unique_lock lock(mutex);
    if (++inside >= 2) met = true;
    both.notify_all();
    both.wait_for(lock, 10s, [&] { return met; });
  };
  Loader loader({{source_of(source), 0}}, options_of(8, 40));
  loader.next();
  EXPECT_TRUE(met);
}

TEST(LoaderThreads, BatchesOutliveTheLoader) {
  std::optional<Batch> batch;
  std::vector<std::uint8_t> before;
  {
    Loader loader({{source_of({}), 0}}, options_of(4, 100));
    batch = loader.next();
    const auto* voxels = batch->scans.data<std::uint8_t>();
    before.assign(voxels, voxels + batch->scans.numel());
  }
  const auto* voxels = batch->scans.data<std::uint8_t>();
  EXPECT_EQ(before, std::vector<std::uint8_t>(voxels, voxels + batch->scans.numel()));
}

TEST(LoaderThreads, ErrorsOfReadsComeOutInOrderAndStay) {
  MemorySourceOptions source;
  source.name = "broken";
  source.studies = 30;
  source.failing_study = 13;
  auto options = options_of(5, 100);
  options.order = StudyOrder::sequential;
  Loader loader({{source_of(source), 0}}, options);
  for (std::int64_t step = 0; step < 2; ++step) EXPECT_EQ(loader.next()->step, step);
  for (int i = 0; i < 2; ++i)
    fixtures::expect_error([&] { loader.next(); }, ErrorKind::data,
                           "[loader] cannot read study 'broken-13' of 'broken': [broken] bad bytes");
  EXPECT_EQ(loader.state().position, 10);
  loader.seek({5, 15});
  EXPECT_EQ(loader.next()->step, 3);
}

TEST(LoaderThreads, ErrorsThatAreNoneOfOursAreNamedToo) {
  MemorySourceOptions source;
  source.on_read = [](auto) { throw std::runtime_error("odd"); };
  source.studies = 1;
  Loader loader({{source_of(source), 0}}, options_of(1, 100));
  fixtures::expect_error([&] { loader.next(); }, ErrorKind::internal,
                         "[loader] cannot read study 'memory-0' of 'memory': odd");
}

TEST(LoaderThreads, ACallerThatKeepsEverythingIsTold) {
  auto options = options_of(4, 4);
  options.buffer_bytes = 2 * 4 * 120;
  options.patience_seconds = 0.2;
  MemorySourceOptions source;
  source.max_scans = 1;
  Loader loader({{source_of(source), 0}}, options);
  std::vector<Batch> held{*loader.next(), *loader.next()};
  fixtures::expect_error(
      [&] { loader.next(); }, ErrorKind::timeout,
      "[loader] no buffer came back for 0.2 s: 960 of 960 bytes are with the caller: drop each batch "
      "once it is on the device, or raise the loader's buffer_bytes");
  held.clear();
  EXPECT_EQ(loader.next()->step, 2) << "and may go on";
}

TEST(LoaderThreads, NoMemoryIsAnErrorOfTheEnvironment) {
  auto options = options_of(4, 4);
  options.memory = {[](std::size_t) -> void* { return nullptr; }, [](void*, std::size_t) {}};
  MemorySourceOptions source;
  source.max_scans = 1;
  Loader loader({{source_of(source), 0}}, options);
  fixtures::expect_error([&] { loader.next(); }, ErrorKind::environment,
                         "[loader] no memory for a buffer of 480 bytes beside 0 bytes of others: lower the loader's "
                         "buffer_bytes");
}

TEST(LoaderThreads, StopsAtAnyMoment) {
  MemorySourceOptions source_options;
  source_options.studies = 50;
  source_options.delay = 300us;
  const auto source = source_of(source_options);
  for (int round = 0; round < 60; ++round) {
    auto options = options_of(6, 7);
    options.threads = 1 + round % 4;
    options.cache_bytes = round % 2 * 2000;
    Loader loader({{source, 0}}, options);
    if (round % 3 > 0) loader.start();
    std::this_thread::sleep_for(std::chrono::microseconds(round * 37 % 900));
    for (int i = 0; i < round % 5; ++i) loader.next();
    if (round % 7 == 0) loader.seek({6, 12});
    if (round % 14 == 0) loader.next();
  }
}

TEST(LoaderThreads, SaysWhatItWaitedFor) {
  MemorySourceOptions source_options;
  source_options.studies = 50;
  source_options.delay = 2ms;
  const auto source = source_of(source_options);
  Loader loader({{source, 0}}, options_of(4, 100));
  loader.next();
  const auto statistics = loader.statistics();
  EXPECT_GE(statistics.seconds_waited, 0.002);
  EXPECT_GE(statistics.seconds_reading, 4 * 0.002);
  EXPECT_EQ(statistics.studies, 4);
  EXPECT_GE(statistics.bytes_read, statistics.scans * 120);
}

// A source whose read() ends when all ranks are in it, as collective transfers do.
class Meeting {
 public:
  explicit Meeting(int ranks) : ranks_(ranks) {}
  void meet() {
    std::unique_lock lock(mutex_);
    const auto mine = round_;
    if (++inside_ == ranks_) {
      inside_ = 0;
      ++round_;
      all_.notify_all();
    } else if (!all_.wait_for(lock, 20s, [&] { return round_ != mine; })) {
      ++lonely_;
    }
  }
  int lonely() const { return lonely_; }
  std::int64_t rounds() const { return round_; }

 private:
  const int ranks_;
  std::mutex mutex_;
  std::condition_variable all_;
  int inside_ = 0, lonely_ = 0;
  std::int64_t round_ = 0;
};

class LoaderTogether : public ::testing::TestWithParam<int> {};

TEST_P(LoaderTogether, RanksMakeTheSameCallsFromOneThreadAndStopTogether) {
  const int ranks = GetParam();
  for (const int batches : {0, 1, 5, 23}) {
    Meeting first(ranks), second(ranks);
    std::vector<std::thread> threads;
    std::vector<std::vector<std::int64_t>> ordinals(static_cast<std::size_t>(ranks));
    for (int rank = 0; rank < ranks; ++rank)
      threads.emplace_back([&, rank] {
        MemorySourceOptions a, b, plain;
        a.name = "a";
        a.studies = 21;
        a.collective = true;
        a.on_read = [&](auto) { first.meet(); };
        b = a;
        b.name = "b";
        b.on_read = [&](auto) { second.meet(); };
        plain.name = "plain";
        const auto source = source_of(a);
        auto options = options_of(8, 9);
        options.rank = rank;
        options.ranks = ranks;
        options.threads = 3;
        options.cache_bytes = rank * 500;
        Loader loader({{source, 2}, {source_of(plain), 1}, {source_of(b), 1}}, options);
        loader.start();
        for (int i = 0; i < batches; ++i) {
          const auto batch = loader.next();
          auto& mine = ordinals[static_cast<std::size_t>(rank)];
          mine.insert(mine.end(), batch->ordinals.begin(), batch->ordinals.end());
          if (rank == 1) std::this_thread::sleep_for(1ms);
        }
        EXPECT_LE(source->readers().size(), 1u);
      });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(first.lonely() + second.lonely(), 0);
    EXPECT_EQ(first.rounds(), batches + kCollectiveDepth);
    EXPECT_EQ(second.rounds(), first.rounds());
    std::set<std::int64_t> all;
    std::size_t count = 0;
    for (const auto& mine : ordinals) {
      all.insert(mine.begin(), mine.end());
      count += mine.size();
    }
    EXPECT_EQ(all.size(), count);
  }
}

TEST_P(LoaderTogether, AnEvaluationEndsOnAllRanks) {
  const int ranks = GetParam();
  Meeting meeting(ranks);
  std::atomic<std::int64_t> studies{0};
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      MemorySourceOptions source;
      source.studies = 21;
      source.collective = true;
      source.on_read = [&](auto) { meeting.meet(); };
      auto options = options_of(8, 9);
      options.order = StudyOrder::sequential;
      options.rank = rank;
      options.ranks = ranks;
      Loader loader({{source_of(source), 0}}, options);
      for (int i = 0; i < 2; ++i) {
        loader.seek({5, 0});
        while (const auto batch = loader.next()) studies += batch->studies();
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(studies, 42);
  EXPECT_EQ(meeting.lonely(), 0);
}

INSTANTIATE_TEST_SUITE_P(Ranks, LoaderTogether, ::testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace strata::data
