// SPDX-License-Identifier: Apache-2.0
#include "strata/runtime/step_graphs.hpp"

#include <gtest/gtest.h>

#include "strata/ops/elementwise.hpp"
#include "strata/ops/matmul.hpp"
#include "tests/fixtures/expect_error.hpp"
#include "tests/fixtures/recording_device.hpp"

namespace strata {
namespace {

// Steps that change a weight, with and without graphs: whatever happens, both must agree.
class StepGraphsTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kWidth = 6;

  // w += a · x · w + the sum of what the host saw, for a new x each time; `ops` more ops than that.
  static void step(Context& ctx, const Tensor& w, int t, int ops, double alpha = 0.25) {
    std::vector<double> values;
    for (std::int64_t i = 0; i < kWidth * kWidth; ++i) values.push_back(0.01 * static_cast<double>((7 * t + i) % 11));
    const Tensor x = ctx.tensor(values, {kWidth, kWidth});
    Tensor y = ops::matmul(ctx, x, w);
    for (int i = 0; i < ops; ++i) y = ops::run1(ctx, ops::Scale{i % 2 == 0 ? 2.0 : 0.5}, {y});
    const double seen = ctx.to_host<double>(y)[3];
    const Tensor more = ctx.tensor(std::vector<double>(kWidth, seen), {kWidth});
    ops::accumulate(ctx, w, ops::add(ctx, ops::run1(ctx, ops::Scale{alpha}, {y}), more));
  }

  Tensor weight(Context& ctx) {
    std::vector<double> values(kWidth * kWidth);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.1 * static_cast<double>(i % 5);
    return ctx.tensor(values, {kWidth, kWidth});
  }
  void expect_equal() { EXPECT_EQ(ctx_.to_host<double>(w_), plain_.to_host<double>(v_)); }
  void both(int t, int ops, double alpha = 0.25, std::string_view key = "a") {
    graphs_.begin(key);
    step(ctx_, w_, t, ops, alpha);
    graphs_.end();
    step(plain_, v_, t, ops, alpha);
    expect_equal();
  }
  const StepGraphStatistics& statistics() const { return graphs_.statistics(); }

  fixtures::RecordingDevice device_, other_;
  StepGraphs graphs_{device_.backend, device_.table};
  Context ctx_ = graphs_.context(), plain_ = other_.ctx;
  Tensor w_ = weight(ctx_), v_ = weight(plain_);
};

TEST_F(StepGraphsTest, RunRecordAndReplay) {
  for (int t = 0; t < 6; ++t) both(t, 4);
  EXPECT_EQ(statistics().plain, 1);
  EXPECT_EQ(statistics().recorded, 1);
  EXPECT_EQ(statistics().replayed, 4);
  EXPECT_EQ(statistics().launches, 10) << "two a step: the host looks once in between";
  EXPECT_EQ(statistics().launches, device_.backend->launches);
  EXPECT_EQ(statistics().diverged + statistics().refused, 0);
}

TEST_F(StepGraphsTest, LongStepsGoInPieces) {
  for (int t = 0; t < 4; ++t) both(t, 2 * StepGraphs::kPiece);
  EXPECT_EQ(statistics().replayed, 2);
  EXPECT_EQ(statistics().launches, 3 * 4);
}

TEST_F(StepGraphsTest, KeysHaveTheirOwnRecords) {
  for (int t = 0; t < 12; ++t) both(t, t % 3, 0.25, t % 3 == 0 ? "a" : t % 3 == 1 ? "b" : "c");
  EXPECT_EQ(statistics().plain, 3);
  EXPECT_EQ(statistics().recorded, 3);
  EXPECT_EQ(statistics().replayed, 6);
}

TEST_F(StepGraphsTest, AnotherOpOrFieldRunsPlainly) {
  for (int t = 0; t < 3; ++t) both(t, 4);
  both(3, 4, 0.125);  // another field, behind the first piece
  both(4, 5);         // one op more, in the first piece
  both(5, 3);         // one less
  both(6, 4);
  EXPECT_EQ(statistics().diverged, 3);
  EXPECT_EQ(statistics().replayed, 2);
  EXPECT_EQ(statistics().plain, 4);
}

TEST_F(StepGraphsTest, ATensorThatOutlivesItsStepIsRefused) {
  Tensor kept;
  for (int t = 0; t < 5; ++t) {
    graphs_.begin("a");
    step(ctx_, w_, t, 2);
    kept = ops::run1(ctx_, ops::Scale{2}, {w_});
    graphs_.end();
    step(plain_, v_, t, 2);
    expect_equal();
    EXPECT_EQ(ctx_.to_host<double>(kept)[5], 2 * plain_.to_host<double>(v_)[5]);
  }
  EXPECT_EQ(statistics().refused, 1);
  EXPECT_EQ(statistics().plain, 5);
  EXPECT_NE(statistics().why_refused.find("1 tensors outlive the step that made them, one of 288 bytes"),
            std::string::npos)
      << statistics().why_refused;
}

TEST_F(StepGraphsTest, WhatCannotBeRecordedRunsPlainly) {
  device_.backend->fail_in = "add";
  for (int t = 0; t < 4; ++t) both(t, 4);
  EXPECT_EQ(statistics().refused, 1);
  EXPECT_EQ(statistics().plain, 4);
  EXPECT_NE(statistics().why_refused.find("cannot be recorded"), std::string::npos) << statistics().why_refused;
}

TEST_F(StepGraphsTest, MemoryThatSomebodyElseHasIsNotTouched) {
  for (int t = 0; t < 3; ++t) both(t, 4);
  EXPECT_EQ(statistics().replayed, 1);
  {
    const Tensor taken =
        ctx_.tensor(std::vector<double>(kWidth * kWidth, 7), {kWidth, kWidth});  // a block of the step's
    for (int t = 3; t < 6; ++t) both(t, 4);
    EXPECT_EQ(statistics().replayed, 1);
    EXPECT_EQ(ctx_.to_host<double>(taken), std::vector<double>(kWidth * kWidth, 7));
    both(6, 4);  // recorded anew, on other memory
    both(7, 4);
    EXPECT_EQ(statistics().recorded, 2);
    EXPECT_EQ(statistics().replayed, 2);
  }
  device_.backend->trim();  // back to the system: nothing to claim
  both(8, 4);
  EXPECT_EQ(statistics().replayed, 2);
}

TEST_F(StepGraphsTest, AnErrorInAStepLeavesNothingBehind) {
  for (int t = 0; t < 8; ++t) {
    if (t == 1 || t == 5) {  // once while recording, once while replaying
      graphs_.begin("a");
      const Tensor lost = ctx_.tensor(std::vector<double>(kWidth * kWidth, 1), {kWidth, kWidth});
      fixtures::message_of(
          [&] {
            ops::matmul(ctx_, lost, ctx_.tensor(std::vector<double>{1}, {1, 1}));
          },
          ErrorKind::usage);
    }
    both(t, 4);
  }
  EXPECT_EQ(statistics().plain, 1);
  EXPECT_EQ(statistics().recorded, 1);
  EXPECT_EQ(statistics().replayed, 6);
  const MemoryReport memory = device_.backend->memory();
  EXPECT_EQ(memory.in_use, kWidth * kWidth * 8) << "the weight";
}

TEST_F(StepGraphsTest, TheBooksAreThoseOfTensors) {
  for (int t = 0; t < 4; ++t) both(t, 4);
  const auto memory = device_.backend->memory();
  EXPECT_EQ(memory.in_use, kWidth * kWidth * 8);
  for (std::size_t kind = 0; kind < memory.by_kind.size(); ++kind)
    EXPECT_EQ(memory.by_kind[kind], kind == static_cast<std::size_t>(MemoryKind::other) ? kWidth * kWidth * 8 : 0)
        << kind;
}

TEST(StepGraphs, PassEverythingOnWhereNothingCanBeRecorded) {
  const auto backend = make_reference_backend();
  const KernelTable table = make_reference_table();
  StepGraphs graphs(backend, table);
  EXPECT_EQ(graphs.backend(), backend);
  EXPECT_EQ(&graphs.table(), &table);
  graphs.begin("a");
  graphs.end();
  EXPECT_EQ(graphs.statistics().replayed, 0);
}

}  // namespace
}  // namespace strata
