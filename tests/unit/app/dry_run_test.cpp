// SPDX-License-Identifier: Apache-2.0
#include "app/dry_run.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "app/wiring.hpp"
#include "strata/base/error.hpp"

namespace strata::app {
namespace {

RunConfig small(const std::vector<std::string>& overrides) {
  std::vector<std::string> all{"model=vit_small_token216", "text=bert_mini", "data.max_scans=0", "data.multiple_of=1",
                               "train.batch=16"};
  all.insert(all.end(), overrides.begin(), overrides.end());
  return read_run("quickstart", all).run;
}

std::int64_t trained(const Rehearsal& r) {
  std::int64_t sum = 0;
  for (const auto& tower : r.towers) sum += tower.trained;
  return sum;
}

std::int64_t kind(const Rehearsal& r, MemoryKind kind) { return r.memory.peak_by_kind[static_cast<std::size_t>(kind)]; }

// Blocks of the allocator are rounded up.
void expect_about(std::int64_t bytes, std::int64_t wanted) {
  EXPECT_GE(bytes, wanted);
  EXPECT_LE(bytes, wanted + wanted / 20);
}

TEST(Rehearsal, CountsParametersAndWhatTheyTake) {
  const Rehearsal r = rehearse(small({}), {});
  const std::int64_t image = r.towers.at(0).trained, text = r.towers.at(1).trained;
  EXPECT_EQ(r.towers.at(2).trained, 1);  // one temperature
  // 6 blocks of 12·C² + 13·C; patches of 1024 voxels; the class token, the last norm, the head
  EXPECT_EQ(image, 6 * (12 * 192 * 192 + 13 * 192) + 192 * 1024 + 192 + 192 + 2 * 192 + 192 * 128);
  // 4 layers as wide as 256; 30522 pieces, 512 positions, 2 types; the projection
  EXPECT_EQ(text, 4 * (12 * 256 * 256 + 13 * 256) + (30522 + 512 + 2) * 256 + 2 * 256 + 256 * 128);
  expect_about(kind(r, MemoryKind::optimizer), 2 * 4 * trained(r));
  expect_about(kind(r, MemoryKind::gradients), 4 * trained(r));
  EXPECT_GT(kind(r, MemoryKind::activations), 0);
  EXPECT_EQ(r.memory.peak, std::accumulate(r.memory.peak_by_kind.begin(), r.memory.peak_by_kind.end(), std::int64_t{}));
}

TEST(Rehearsal, ALockedTowerHasNoOptimizerState) {
  const Rehearsal r = rehearse(small({"text.locked=true", "text.weights=missing"}), {});
  EXPECT_EQ(r.towers.at(1).trained, 256 * 128);
  expect_about(kind(r, MemoryKind::optimizer), 2 * 4 * trained(r));
}

TEST(Rehearsal, SmallerMicroBatchesTakeLessMemoryAndMoreForwardPasses) {
  const Rehearsal one = rehearse(small({}), {});
  const Rehearsal four = rehearse(small({"data.tokens=864"}), {});  // four studies of 216
  EXPECT_EQ(one.rounds, 1);
  EXPECT_EQ(four.rounds, 4);
  EXPECT_EQ(four.tokens_a_scan, 216);
  EXPECT_DOUBLE_EQ(four.forward_flops, one.forward_flops);
  EXPECT_DOUBLE_EQ(one.executed_flops, 3 * one.forward_flops);
  EXPECT_DOUBLE_EQ(four.executed_flops, 3.75 * one.forward_flops);
  EXPECT_LT(kind(four, MemoryKind::activations), kind(one, MemoryKind::activations) / 3);
}

TEST(Rehearsal, RanksShareTheStep) {
  const Rehearsal one = rehearse(small({"data.multiple_of=4"}), {});
  const Rehearsal four = rehearse(small({"data.multiple_of=4"}), {.ranks = 4});
  EXPECT_EQ(one.studies, 16);
  EXPECT_EQ(four.studies, 4);
  EXPECT_EQ(four.rounds, 1);
  EXPECT_DOUBLE_EQ(four.forward_flops, one.forward_flops);
  const Rehearsal idle = rehearse(small({"data.multiple_of=1"}), {.ranks = 4});
  EXPECT_EQ(idle.studies, 16);
  EXPECT_NE(idle.notes.back().find("3 of 4 times a rank has nothing to do"), std::string::npos) << idle.notes.back();
}

TEST(Rehearsal, MoreScansAndCheckpointing) {
  const Rehearsal one = rehearse(small({}), {});
  const Rehearsal three = rehearse(small({}), {.scans = 3});
  EXPECT_GT(three.forward_flops, one.forward_flops * 1.5);
  const Rehearsal full = rehearse(small({"checkpointing=full"}), {.scans = 3});
  EXPECT_LT(kind(full, MemoryKind::activations), kind(three, MemoryKind::activations) / 2);
}

TEST(DryRun, SaysAllOfThePublishedRecipeWithoutAnyFile) {
  const RunConfig run = read_run("hlip_brain_mri_head_ct_2025", {"peak_tflops=8000"}).run;
  const Rehearsal r = rehearse(run, {.ranks = 8});
  EXPECT_EQ(r.scans, 8);
  EXPECT_EQ(r.tokens_a_scan, 588);
  EXPECT_EQ(r.studies, 96);
  const std::string text = dry_run_text(run, r, 8);
  for (const char* part : {"bf16, on 8 ranks", "image tower", "memory of each rank",
                           "768 studies of 8 scans (588 tokens", "96 micro-batches on 8 ranks, 12 rounds",
                           "at 8000 TFLOP/s", "25 epochs", "a vocabulary of 30522 pieces is assumed"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
}

TEST(DryRun, ABackendThatIsNotBuiltIsANote) {
  const Rehearsal r = rehearse(small({"backend=abacus"}), {});
  EXPECT_EQ(r.backend, backend_names().front());
  ASSERT_FALSE(r.notes.empty());
  EXPECT_NE(r.notes.front().find("no backend 'abacus'"), std::string::npos) << r.notes.front();
}

}  // namespace
}  // namespace strata::app
