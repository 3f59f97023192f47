// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "app/bench_composition.hpp"
#include "app/bench_training.hpp"
#include "tests/cli/program.hpp"
#include "tests/fixtures/scratch_folder.hpp"

namespace strata::cli {
namespace {

using autograd::Checkpointing;

app::TrainingCase small_case(std::int64_t scans, DType dtype, Checkpointing checkpointing) {
  app::TrainingCase what;
  auto& c = what.config;
  c.name = "small";
  c.image = {16, 64, 64};
  c.patch = {4, 8, 8};
  c.width = 96;
  c.heads = 3;
  c.depth = 4;
  c.max_scans = 8;
  c.joint_width = 32;
  c.register_tokens = 2;
  c.patch_dropout = 0.25;
  c.drop_path = 0.1;
  c.slice_blocks = {0};
  c.scan_blocks = {1, 2};
  c.study_blocks = {3};
  what.scans = scans;
  what.dtype = dtype;
  what.checkpointing = checkpointing;
  return what;
}

// With several, a busy machine may let one thread do the work of two, and scratch is then taken once: much for models
// as small as these.
constexpr int kThreads = 1;

MemoryReport measured(const app::TrainingCase& what) {
  const app::WiredBackend wired = app::wire_backend({}, {.threads = kThreads});
  Context ctx = wired.context();
  app::BenchTraining training(ctx, what);
  training.step(ctx);
  wired.backend()->reset_peak();
  training.step(ctx);
  return wired.backend()->memory();
}

std::int64_t of(const BytesByKind& bytes, MemoryKind kind) { return bytes[static_cast<std::size_t>(kind)]; }

struct Memory {
  DType dtype;
  Checkpointing checkpointing;
  std::int64_t scans;
};

std::string name_of(const testing::TestParamInfo<Memory>& info) {
  constexpr const char* kModes[] = {"none", "selective", "full"};
  return std::string(strata::name_of(info.param.dtype)) + "_" +
         kModes[static_cast<std::size_t>(info.param.checkpointing)] + "_" + std::to_string(info.param.scans);
}

std::vector<Memory> all_memory() {
  std::vector<Memory> all;
  for (const auto dtype : {DType::f32, DType::bf16})
    for (const auto mode : {Checkpointing::none, Checkpointing::selective, Checkpointing::full})
      for (const std::int64_t scans : {1, 2, 4, 8}) all.push_back({dtype, mode, scans});
  return all;
}

class PredictedMemory : public testing::TestWithParam<Memory> {};

// The promise is 5 % of the total. What a rehearsal sees of scratch inside parallel regions is that of one chunk.
TEST_P(PredictedMemory, AgreesWithTheReport) {
  const auto& [dtype, checkpointing, scans] = GetParam();
  const auto what = small_case(scans, dtype, checkpointing);
  const MemoryReport predicted = app::predict_training({}, kThreads, what).memory, seen = measured(what);
  const auto total = static_cast<double>(seen.peak);
  EXPECT_NEAR(static_cast<double>(predicted.peak), total, 0.05 * total);
  for (const auto kind : {MemoryKind::parameters, MemoryKind::optimizer, MemoryKind::other})
    EXPECT_EQ(of(predicted.peak_by_kind, kind), of(seen.peak_by_kind, kind)) << strata::name_of(kind);
  // Together: where two moments of a step take nearly the same, either may be the peak.
  const auto passing = [](const BytesByKind& bytes) {
    return static_cast<double>(of(bytes, MemoryKind::gradients) + of(bytes, MemoryKind::activations) +
                               of(bytes, MemoryKind::work));
  };
  EXPECT_NEAR(passing(predicted.peak_by_kind), passing(seen.peak_by_kind), 0.05 * total);
}

INSTANTIATE_TEST_SUITE_P(Small, PredictedMemory, testing::ValuesIn(all_memory()), name_of);

TEST(Bench, CheckpointingTakesLessMemory) {
  const auto activations = [](Checkpointing mode) {
    const auto report = app::predict_training({}, 0, small_case(4, DType::f32, mode)).memory;
    return report.peak_by_kind[static_cast<std::size_t>(MemoryKind::activations)];
  };
  EXPECT_LT(activations(Checkpointing::selective), activations(Checkpointing::none));
  EXPECT_LT(activations(Checkpointing::full), activations(Checkpointing::selective));
}

TEST(Bench, AProfileCountsEveryCallAndTheFlopsOfTheFormula) {
  const app::WiredBackend wired = app::wire_backend();
  auto what = small_case(2, DType::f32, Checkpointing::none);
  what.config.drop_path = 0;
  what.studies = 3;
  app::BenchTraining training(wired.context(), what);
  app::Profile profile(wired.context(), app::ProfileRows::by_op);
  const app::WiredBackend timed = wired.wrapped([&](const auto& entry) { return profile.wrap(entry); });
  Context ctx = timed.context();
  const double seconds = training.step(ctx).total();
  double inside = 0, flops = 0;
  std::int64_t attentions = 0;
  for (const auto& row : profile.rows()) {
    inside += row.seconds;
    flops += row.flops;
    if (row.op == "attention") attentions += row.calls;
  }
  EXPECT_EQ(attentions, what.config.depth);
  EXPECT_GT(inside, 0);
  EXPECT_LT(inside, seconds);
  EXPECT_NEAR(flops, training.step_flops(), 1e-9 * flops);
  EXPECT_GE(profile.rows().front().seconds, profile.rows().back().seconds);
}

TEST(Bench, SeveralStudiesAreThatManyTimesTheWork) {
  auto what = small_case(2, DType::bf16, Checkpointing::none);
  const auto one = app::predict_training({}, kThreads, what);
  what.studies = 3;
  const auto three = app::predict_training({}, kThreads, what);
  EXPECT_EQ(three.patch_tokens, 3 * one.patch_tokens);
  EXPECT_NEAR(three.step_flops, 3 * one.step_flops, 1e-9 * three.step_flops);
  EXPECT_EQ(three.optimizer_bytes, one.optimizer_bytes);
  EXPECT_GT(one.optimizer_bytes, 28.0 * static_cast<double>(one.parameters)) << "weights in bf16 are written, too";
  EXPECT_LT(one.optimizer_bytes, 30.0 * static_cast<double>(one.parameters));
}

TEST(Bench, ACompositionIsTheSumOfItsParts) {
  const auto row = [](const char* op, std::int64_t calls, double seconds, double bytes) {
    app::Profile::Row made;
    made.op = op;
    made.calls = calls;
    made.seconds = seconds;
    made.bytes = bytes;
    return made;
  };
  auto product = row("linear", 4, 2.0, 1e9);
  product.alone = 1.0;
  product.gelu_bytes = 2e9;
  const auto add = row("add", 2, 3.0, 8e9);
  const auto composed = app::compose({product, add}, 2, 4.0, 4e9);  // two steps were profiled, copies move 4 GB/s
  ASSERT_EQ(composed.rows.size(), 2u);
  EXPECT_EQ(composed.rows.front().op, "add") << "the largest gain first";
  EXPECT_DOUBLE_EQ(composed.rows.front().ideal, 1.0);
  EXPECT_DOUBLE_EQ(composed.rows.front().gain(), 0.5);
  EXPECT_DOUBLE_EQ(composed.rows.back().ideal, 0.75);
  EXPECT_DOUBLE_EQ(composed.rows.back().calls, 2);
  EXPECT_DOUBLE_EQ(composed.gelu(), 0.25);
  EXPECT_DOUBLE_EQ(composed.inside(), 2.5);
  EXPECT_DOUBLE_EQ(composed.share(), 1.75 / 4);
}

TEST(Bench, ProductsAndAttentionOfAStepAreMeasuredAlone) {
  const app::WiredBackend wired = app::wire_backend({}, {.threads = kThreads});
  app::BenchTraining training(wired.context(), small_case(2, DType::bf16, Checkpointing::none));
  app::Profile profile(wired.context(), app::ProfileRows::by_shape, true);
  const app::WiredBackend timed = wired.wrapped([&](const auto& entry) { return profile.wrap(entry); });
  Context ctx = timed.context();
  const double seconds = training.step(ctx).total();
  double inside = 0;
  int with_gelu = 0;
  for (const auto& row : profile.rows()) {
    const bool measured = row.flops > 0;
    EXPECT_EQ(row.alone > 0, measured) << row.op;
    EXPECT_TRUE(measured || row.gelu_bytes == 0) << row.op;
    with_gelu += row.gelu_bytes > 0 ? static_cast<int>(row.calls) : 0;
    inside += row.seconds;
  }
  EXPECT_EQ(with_gelu, 2 * 4) << "a block's second product of its MLP, forward and backward";
  EXPECT_GT(profile.overhead(), 0);
  EXPECT_GT(seconds - profile.overhead(), inside) << "what measuring took is told apart";
}

TEST(Bench, ADryRunPredictsWithoutTheMemory) {
  const Outcome run = strata("bench train --variant vit_large_multiscan_h2_token1568 --scans 20 --dry-run --json -");
  ASSERT_EQ(run.code, 0) << run.err;
  const auto json = nlohmann::json::parse(run.out);
  const auto& memory = json["memory"];
  std::int64_t sum = 0;
  for (const auto& [kind, bytes] : memory["predicted_by_kind"].items()) sum += bytes.get<std::int64_t>();
  EXPECT_EQ(sum, memory["predicted_peak"].get<std::int64_t>());
  EXPECT_GT(sum, std::int64_t{20} << 30) << "more than many machines have";
  EXPECT_GT(memory["predicted_by_kind"]["parameters"].get<std::int64_t>(), 4 * json["parameters"].get<std::int64_t>());
  EXPECT_EQ(json["settings"]["patch_tokens"], 20 * 1568);
  EXPECT_TRUE(json["machine"].contains("load average"));
  EXPECT_TRUE(json["build"].contains("commit"));
  EXPECT_FALSE(json.contains("seconds"));
  EXPECT_NE(run.err.find("memory, MiB"), std::string::npos) << "the table goes to standard error";
}

TEST(Bench, ArgumentsThatAreNotUnderstood) {
  expect_failure("bench train --scnas 3", 2,
                 "error (usage): [arguments] The following arguments were not expected: 3 --scnas\n  try:   did you "
                 "mean '--scans'?\n");
  expect_failure("bench train --variant vit_base_multiscan_h2_token1167", 2,
                 "error (usage): [model] unknown variant 'vit_base_multiscan_h2_token1167'\n  try:   did you mean "
                 "'vit_base_multiscan_h2_token1176'?\n");
  expect_failure(
      "bench train --scans 41", 2,
      "error (usage): [bench] vit_base_multiscan_h2_token1176 takes 40 scans a study at most, not 41\n  "
      "try:   give fewer --scans or another --variant, or --max-scans 0 for a model without a table of their order\n");
  EXPECT_EQ(strata("bench").code, 2);
  EXPECT_EQ(strata("bench trai").code, 2);
  expect_failure("bench train --dry-run --json /no/such/folder/report.json", 4,
                 "error (environment): [/no/such/folder/report.json] the report could not be written\n  try:   does "
                 "the folder exist, and is there room?\n");
}

}  // namespace
}  // namespace strata::cli
