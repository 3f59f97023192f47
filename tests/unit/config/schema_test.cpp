// SPDX-License-Identifier: Apache-2.0
#include "strata/config/schema.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

namespace strata::config {
namespace {

enum class Shape { constant, cosine };

struct Schedule {
  Shape shape = Shape::cosine;
  std::int64_t warm_up = 10;
};

struct Optim {
  double lr = 1e-3;
  std::array<double, 2> betas{0.9, 0.999};
  std::optional<double> clip;
  Schedule schedule;
};

struct Set {
  std::string path;
  double weight = 1;
};

struct Job {
  std::int64_t steps = 1000;
  bool resume = false;
  std::string name = "run";
  std::vector<std::string> metrics{"auroc"};
  std::vector<std::int64_t> blocks;
  std::uint64_t seed = 1;
  std::optional<Shape> shape;
  Optim optim;
  std::vector<Set> sets;
};

Schema<Job> schema() {
  Schema<Schedule> schedule;
  schedule.choice("shape", &Schedule::shape, {{"constant", Shape::constant}, {"cosine", Shape::cosine}},
                  {.help = "how it falls"});
  schedule.field("warm_up", &Schedule::warm_up, {.help = "steps until the peak", .unit = "steps", .least = 0});
  Schema<Optim> optim;
  optim.field("lr", &Optim::lr, {.help = "peak learning rate", .above = 0, .most = 1});
  optim.field("betas", &Optim::betas, {.help = "decay of the moments", .least = 0, .below = 1});
  optim.field("clip", &Optim::clip, {.help = "largest norm of the gradient", .above = 0});
  optim.group("schedule", &Optim::schedule, schedule, "the learning rate over time");
  Schema<Set> set;
  set.field("path", &Set::path, {.help = "folder of the shards", .required = true});
  set.field("weight", &Set::weight, {.help = "share of the samples", .above = 0});
  Schema<Job> run;
  run.field("steps", &Job::steps, {.help = "length of the run", .unit = "steps", .least = 1});
  run.field("resume", &Job::resume, {.help = "go on where it ended"});
  run.field("name", &Job::name);
  run.field("metrics", &Job::metrics, {.help = "what is measured", .fewest = 1});
  run.field("blocks", &Job::blocks, {.help = "which", .least = 0});
  run.field("seed", &Job::seed, {.help = "of every random number"});
  run.choice("shape", &Job::shape, {{"constant", Shape::constant}, {"cosine", Shape::cosine}}, {.help = "if any"});
  run.group("optim", &Job::optim, optim, "the optimizer");
  run.list("sets", &Job::sets, set, {.help = "sets of shards", .fewest = 1});
  run.check([](const Job& r) {
    return r.optim.schedule.warm_up > r.steps ? std::string("warms up longer than it runs") : std::string();
  });
  return run;
}

Job read(const std::string& text) { return schema().read(Node::parse(text, "run.yaml")); }

std::string error_of(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

void expect_contains(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (const auto part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << "\n in: " << text;
}

TEST(ConfigSchema, ReadsWhatIsThereAndKeepsDefaults) {
  const Job run = read(
      "steps: 200\nresume: true\nblocks: [2, 5]\noptim: {lr: 1e-4, betas: [0.9, 0.95], clip: 1, schedule: {shape: "
      "constant}}\nsets:\n  - {path: a}\n  - {path: b, weight: 2}\n");
  EXPECT_EQ(run.steps, 200);
  EXPECT_TRUE(run.resume);
  EXPECT_EQ(run.name, "run");
  EXPECT_EQ(run.metrics, std::vector<std::string>{"auroc"});
  EXPECT_EQ(run.blocks, (std::vector<std::int64_t>{2, 5}));
  EXPECT_EQ(run.optim.lr, 1e-4);
  EXPECT_EQ(run.optim.betas[1], 0.95);
  EXPECT_EQ(run.optim.clip, 1.0);
  EXPECT_EQ(run.optim.schedule.shape, Shape::constant);
  EXPECT_EQ(run.optim.schedule.warm_up, 10);
  ASSERT_EQ(run.sets.size(), 2u);
  EXPECT_EQ(run.sets[1].path, "b");
  EXPECT_EQ(run.sets[0].weight, 1);
}

TEST(ConfigSchema, UnsignedNumbersOptionalChoicesAndEmptyTexts) {
  const Job run = read("seed: 9223372036854775807\nshape: constant\nname:\nsets: [{path: a}]");
  EXPECT_EQ(run.seed, 9223372036854775807u);
  EXPECT_EQ(run.shape, Shape::constant);
  EXPECT_EQ(run.name, "");
  EXPECT_EQ(read(schema().dump(run).dump()).seed, run.seed);
  EXPECT_EQ(read("shape: null\nsets: [{path: a}]").shape, std::nullopt);
  EXPECT_EQ(read(schema().dump(read("sets: [{path: a}]")).dump()).shape, std::nullopt);
  expect_contains(error_of("seed: -1\nsets: [{path: a}]"), {"'seed'", "is negative"});
  expect_contains(error_of("shape: cosin\nsets: [{path: a}]"), {"constant, cosine", "is 'cosine' meant?"});
}

TEST(ConfigSchema, DumpReadsBackAndIsCanonical) {
  Job run = read("sets: [{path: a}]\noptim: {clip: 0.1}");
  run.optim.lr = 0.1 + 0.2;
  run.name = "true";
  run.steps = std::numeric_limits<std::int64_t>::max();
  const std::string text = schema().dump(run).dump();
  EXPECT_EQ(schema().dump(read(text)).dump(), text);
  EXPECT_EQ(read(text).optim.lr, 0.1 + 0.2);
  EXPECT_EQ(read(text).steps, run.steps);
  expect_contains(text, {"name: \"true\"", "clip: 0.1\n", "  schedule:\n    shape: cosine\n    warm_up: 10\n",
                         "sets:\n  - path: a\n    weight: 1\n", "blocks: []\n"});
  run.optim.clip.reset();
  expect_contains(schema().dump(run).dump(), {"clip: null"});
}

TEST(ConfigSchema, SaysEverythingThatIsWrongAtOnce) {
  const auto text = error_of(
      "step: 5\nresume: 1\nmetrics: []\nblocks: [1, -2]\noptim:\n  lr: 0\n  betas: [0.9]\n  clip: x\n  schedule: "
      "{shape: cosin, warm_up: 1.5, x: 1}\nsets:\n  - {weight: -1}\n");
  expect_contains(
      text, {
                "12 things are wrong",
                "'step' (run.yaml:1), is 'steps' meant? (known here: steps, resume",
                "'resume' (run.yaml:2) is '1', not true or false",
                "'metrics' (run.yaml:3) has 0 items, not at least 1 item",
                "'blocks' (run.yaml:4) is -2, not at least 0",
                "'optim.lr' (run.yaml:6) is 0, not above 0 and at most 1",
                "'optim.betas' (run.yaml:7) has 1 item, not 2",
                "'optim.clip' (run.yaml:8) is 'x', not a number",
                "'optim.schedule.shape' (run.yaml:9) is 'cosin', not one of constant, cosine (is 'cosine' meant?)",
                "'optim.schedule.warm_up' (run.yaml:9) is '1.5', not a whole number",
                "1 unknown key: 'optim.schedule.x'",
                "'sets[0].weight' (run.yaml:11) is -1, not above 0",
            });
  expect_contains(error_of("sets: [{}]"), {"'sets[0]' (run.yaml:1) lacks the key 'path'"});
  expect_contains(error_of("sets: [{path: a}]\nsteps: 5"), {"warms up longer"});
  expect_contains(error_of("sets: [{path: a}]\nsteps: .nan"), {"whole number"});
  expect_contains(error_of("sets: [{path: a}]\noptim: {lr: .nan}"), {"is nan, not above 0"});
  expect_contains(error_of("sets: [{path: a}]\noptim: 3"), {"'optim' (run.yaml:2) is not a map"});
  expect_contains(error_of("sets: {path: a}"), {"'sets' (run.yaml:1) is a map, not a list"});
  expect_contains(error_of("[1]"), {"is not a map"});
}

TEST(ConfigSchema, HelpHasALineForEachField) {
  EXPECT_EQ(schema().help(),
            "  steps=1000                   whole number at least 1 [steps]: length of the run\n"
            "  resume=false                 true or false: go on where it ended\n"
            "  name=run                     text\n"
            "  metrics=[auroc]              list of texts, at least 1 item: what is measured\n"
            "  blocks=[]                    list of whole numbers at least 0: which\n"
            "  seed=1                       whole number: of every random number\n"
            "  shape=null                   constant | cosine | null: if any\n"
            "  optim                        the optimizer\n"
            "  optim.lr=0.001               number above 0 and at most 1: peak learning rate\n"
            "  optim.betas=[0.9, 0.999]     2 numbers at least 0 and below 1: decay of the moments\n"
            "  optim.clip=null              number or null above 0: largest norm of the gradient\n"
            "  optim.schedule               the learning rate over time\n"
            "  optim.schedule.shape=cosine  constant | cosine: how it falls\n"
            "  optim.schedule.warm_up=10    whole number at least 0 [steps]: steps until the peak\n"
            "  sets[]                       list, at least 1 item: sets of shards\n"
            "  sets[].path=?                text: folder of the shards\n"
            "  sets[].weight=1              number above 0: share of the samples\n");
}

}  // namespace
}  // namespace strata::config
