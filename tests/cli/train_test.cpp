// SPDX-License-Identifier: Apache-2.0
// strata train as a person starts it, kills it and starts it again.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "io/metrics/metrics.hpp"
#include "io/shard/shard.hpp"
#include "parallel/comm/local.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/scratch_folder.hpp"
#include "tests/fixtures/small_shards.hpp"

namespace strata::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRun = R"(name: run
output: RUNS
model: {image: [6, 4, 5], patch: [3, 2, 5], width: 24, depth: 2, heads: 3, max_scans: 3, joint_width: 16,
        scan_blocks: [0], study_blocks: [1], patch_dropout: 0.25, drop_path: 0.1,
        standardise_voxels: true}
text: {variant: bert_tiny, width: 16, depth: 1, heads: 2, hidden: 32, positions: 32, vocabulary: VOCAB, context: 16, sentence_dropout: 0.2}
data:
  train: [{path: SET, splits: [train]}]
  eval: [{path: SET, splits: [val]}]
optim: {lr: 1e-3, warm_up: 5, clip: 1, ema: 0.9}
train: {batch: 4, steps: 120, log_every: 1, eval_every: 40, checkpoint_every: 6}
threads: 1
)";

void expect_said(const std::string& arguments, int code, const std::string& words) {
  SCOPED_TRACE(arguments);
  const Outcome outcome = strata(arguments);
  EXPECT_EQ(outcome.code, code);
  EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
}

class Train : public ::testing::Test {
 protected:
  Train() {
    fs::create_directory(scratch_.file("set"));
    fixtures::write_small_set(*comm::make_local(), scratch_.file("set"), fixtures::small_set(), 2, 12);
    fixtures::write_all(scratch_.file("vocab.txt"),
                        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nstudy\nis\nnormal\n.\nno\nfracture\n1\n2\n##1\n##2\n");
    std::string run = kRun;
    for (const auto& [word, value] : std::map<std::string, std::string>{
             {"RUNS", scratch_.file("runs")}, {"VOCAB", scratch_.file("vocab.txt")}, {"SET", scratch_.file("set")}})
      for (auto at = run.find(word); at != std::string::npos; at = run.find(word, at + value.size()))
        run.replace(at, word.size(), value);
    fixtures::write_all(scratch_.file("run.yaml"), run);
  }

  std::string command(const std::string& rest) const { return "train " + scratch_.file("run.yaml") + " " + rest; }
  std::string folder(const std::string& name) const { return scratch_.file("runs/" + name); }

  // By step; what counts of a run that was resumed.
  std::map<std::int64_t, double> losses(const std::string& name) const {
    std::map<std::int64_t, double> found;
    for (const auto& record : io::read_metrics(folder(name) + "/metrics.jsonl")) {
      if (record.kind != "train") continue;
      for (const auto& [key, value] : record.values)
        if (key == "loss") found[record.step] = value;
    }
    return found;
  }

  // Starts the command and kills it once its metrics say that `step` is done. Returns the signal that ended it.
  int killed_at(const std::string& arguments, const std::string& name, std::int64_t step, int signal) const {
    const pid_t child = started(fmt::format("exec {} {} 2>/dev/null", STRATA_PROGRAM, arguments));
    wait_for(name, step);
    kill(child, signal);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
  }

  // The same on several ranks, of which the last is killed: the job ends. Returns its exit code.
  int rank_killed_at(int ranks, const std::string& arguments, const std::string& name, std::int64_t step) const {
    const pid_t job = started(fmt::format("exec {} {} {} >/dev/null 2>&1", mpirun(ranks), STRATA_PROGRAM, arguments));
    wait_for(name, step);
    std::ifstream children(fmt::format("/proc/{0}/task/{0}/children", job));
    pid_t rank = 0;
    for (pid_t child = 0; children >> child;) rank = child;
    EXPECT_NE(rank, 0);
    if (rank != 0) kill(rank, SIGKILL);
    int status = 0;
    waitpid(job, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  static std::string mpirun(int ranks) {
    return fmt::format(
        "env OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1 "
        "OMPI_MCA_hwloc_base_binding_policy=none OMP_NUM_THREADS=1 mpirun --oversubscribe -n {}",
        ranks);
  }

  static Outcome on_ranks(int ranks, const std::string& arguments) { return strata(arguments, {}, mpirun(ranks)); }

  static pid_t started(const std::string& line) {
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
      _exit(127);
    }
    return child;
  }

  void wait_for(const std::string& name, std::int64_t step) const {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < patience) {
      std::error_code unknown;
      if (fs::exists(folder(name) + "/metrics.jsonl", unknown)) {
        const auto done = losses(name);
        if (!done.empty() && done.rbegin()->first >= step) break;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  fixtures::ScratchFolder scratch_;
};

TEST_F(Train, RunsEvaluatesAndLeavesEverythingBehind) {
  const Outcome run = strata(command("train.steps=12 train.eval_every=6"));
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(losses("run").size(), 12U);
  for (const char* file : {"config.yaml", "metrics.jsonl", "checkpoints/step-000000012.h5", "curves.png"})
    EXPECT_TRUE(fs::exists(folder("run") + "/" + file)) << file;
  std::size_t evaluations = 0;
  for (const auto& record : io::read_metrics(folder("run") + "/metrics.jsonl"))
    evaluations += record.kind == "eval" ? 1U : 0U;
  EXPECT_EQ(evaluations, 2U);
  const Outcome again = strata(command("train.steps=12"));
  EXPECT_EQ(again.code, 2);
  EXPECT_NE(again.err.find("holds a run already"), std::string::npos) << again.err;
}

TEST_F(Train, KilledAndResumedItGivesTheSameBits) {
  ASSERT_EQ(strata(command("name=whole")).code, 0);
  std::random_device device;
  const auto seed = device();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 draw(seed);
  ASSERT_EQ(killed_at(command("name=cut"), "cut", 10 + static_cast<std::int64_t>(draw() % 50), SIGKILL), SIGKILL);
  // And once more, in what was resumed.
  ASSERT_EQ(killed_at(command("name=cut --resume auto"), "cut", 70 + static_cast<std::int64_t>(draw() % 30), SIGKILL),
            SIGKILL);
  const Outcome resumed = strata(command("name=cut --resume auto"));
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  const auto whole = losses("whole"), cut = losses("cut");
  ASSERT_EQ(whole.size(), 120U);
  ASSERT_EQ(cut.size(), 120U);
  for (const auto& [step, loss] : whole) EXPECT_EQ(loss, cut.at(step)) << "step " << step;
}

// Neither a resume nor an evaluation of averages changes what stands in the compute copies.
TEST_F(Train, StochasticallyRoundedItResumesAndEvaluatesWithTheSameBits) {
  const std::string half = "dtype=bf16 optim.schedule=constant optim.rounding=stochastic ";
  for (const char* run : {"name=nearest train.steps=20 optim.rounding=nearest", "name=whole train.steps=20",
                          "name=often train.steps=20 train.eval_every=3", "name=cut train.steps=9",
                          "name=cut train.steps=20 --resume auto"}) {
    const Outcome outcome = strata(command(half + run));
    ASSERT_EQ(outcome.code, 0) << run << outcome.err;
  }
  const auto whole = losses("whole");
  ASSERT_EQ(whole.size(), 20U);
  EXPECT_NE(losses("nearest"), whole);
  EXPECT_EQ(losses("often"), whole);
  EXPECT_EQ(losses("cut"), whole);
}

// Micro-batches are the same on any number of ranks; only the order of sums differs.
TEST_F(Train, ResumedOnOtherNumbersOfRanksItGoesOnAsOne) {
  if (std::system("mpirun --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no mpirun";
  const std::string settings = " data.tokens=24 train.steps=110";  // several micro-batches a step
  ASSERT_EQ(strata(command("name=one" + settings)).code, 0);
  ASSERT_EQ(on_ranks(2, command("name=two" + settings)).code, 0);
  ASSERT_NE(rank_killed_at(2, command("name=cut" + settings), "cut", 20), 0);
  fs::copy(folder("cut"), folder("wide"), fs::copy_options::recursive);
  const std::string wide = "name=wide" + settings + " --resume auto";
  ASSERT_EQ(on_ranks(2, command("name=cut" + settings + " --resume auto")).code, 0);
  ASSERT_NE(rank_killed_at(3, command(wide), "wide", 60), 0);
  ASSERT_EQ(strata(command(wide)).code, 0);
  const auto one = losses("one"), two = losses("two"), same = losses("cut"), other = losses("wide");
  ASSERT_EQ(one.size(), 110U);
  ASSERT_EQ(same.size(), 110U);
  ASSERT_EQ(other.size(), 110U);
  for (const auto& [step, loss] : one) {
    EXPECT_EQ(same.at(step), two.at(step)) << "two ranks, step " << step;
    EXPECT_NEAR(other.at(step), loss, 1e-4 * loss) << "two, three, one rank, step " << step;
    EXPECT_NEAR(two.at(step), loss, 1e-4 * loss) << "two ranks, step " << step;
  }
}

TEST_F(Train, AskedToStopItLeavesACheckpoint) {
  EXPECT_EQ(killed_at(command("name=asked train.steps=5000 train.checkpoint_every=0"), "asked", 9, SIGUSR1), 0);
  EXPECT_FALSE(fs::is_empty(folder("asked") + "/checkpoints"));
  const auto done = losses("asked").rbegin()->first;
  EXPECT_LT(done, 5000);
  const Outcome resumed = strata(command(fmt::format("name=asked --resume auto train.steps={}", done + 3)));
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(losses("asked").rbegin()->first, done + 3);
}

TEST_F(Train, OtherSeedsAndBatchesCannotBeResumed) {
  ASSERT_EQ(strata(command("train.steps=6")).code, 0);
  const Outcome seed = strata(command("train.steps=9 seed=5 --resume auto"));
  EXPECT_EQ(seed.code, 2);
  EXPECT_NE(seed.err.find("was trained with seed 1, not 5"), std::string::npos) << seed.err;
  const Outcome batch = strata(command("train.steps=9 train.batch=5 --resume auto"));
  EXPECT_EQ(batch.code, 2);
  EXPECT_NE(batch.err.find("which are not 5 a step"), std::string::npos) << batch.err;
  const Outcome model = strata(command("train.steps=9 model.width=48 model.heads=6 --resume auto"));
  EXPECT_EQ(model.code, 8);
  EXPECT_EQ(fixtures::read_all(folder("run") + "/config.yaml").find("width: 48"), std::string::npos)
      << "a mistake leaves the configuration of the run as it was";
}

TEST_F(Train, RehearsedItNeedsAndLeavesNothing) {
  const Outcome rehearsal = strata("train quickstart --dry-run --ranks 4 optim.lr=2e-3 output=" + folder("rehearsed"));
  ASSERT_EQ(rehearsal.code, 0) << rehearsal.err;
  for (const char* words : {"lr: 0.002", "on 4 ranks", "image tower", "GFLOP", "32 studies of 1 scan (54 tokens each)",
                            "note: 2 of 4 times a rank has nothing to do"})
    EXPECT_NE(rehearsal.out.find(words), std::string::npos) << words << "\n" << rehearsal.out;
  EXPECT_FALSE(fs::exists(folder("rehearsed")));
  expect_said("train quickstart --dry-run optim.lrr=1", 2, "is 'lr' meant");
}

TEST_F(Train, WhatAFirstUserGetsWrongIsSaid) {
  expect_said(command("'data.train[0].path=nowhere'"), 3, "nowhere");
  expect_said(command("optim.lrr=1"), 2, "optim.lr");
  expect_said(command("text.vocabulary=missing.txt"), 3, "missing.txt");
  expect_said(command("'data.train[0].splits=[test]'"), 3, "no study is of split 'test'");
  expect_said("train no_such_run", 2, "no_such_run");
  expect_said("train", 2, "no configuration was named");
}

}  // namespace
}  // namespace strata::cli
