// SPDX-License-Identifier: Apache-2.0
// strata bench: how fast this machine trains, how much memory it takes, and where the time goes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "app/bench_report.hpp"
#include "app/command.hpp"
#include "strata/base/error.hpp"

namespace strata::app {
namespace {

autograd::Checkpointing checkpointing_of(const std::string& name) {
  if (name == "selective") return autograd::Checkpointing::selective;
  return name == "full" ? autograd::Checkpointing::full : autograd::Checkpointing::none;
}

TrainingCase case_of(const BenchOptions& options) {
  TrainingCase what;
  what.config = models::hierarchical_vit3d_variant(options.variant);
  what.config.patch_dropout = options.patch_dropout;
  if (options.max_scans >= 0) what.config.max_scans = options.max_scans;
  what.studies = options.studies;
  what.scans = options.scans;
  what.dtype = parse_dtype(options.dtype);
  what.checkpointing = checkpointing_of(options.checkpointing);
  what.optimizer.algorithm = optim::parse_algorithm(options.optimizer);
  const auto most = what.config.max_scans;
  STRATA_CHECK(most == 0 || options.scans <= most, usage, "bench",
               fmt::format("{} takes {} scans a study at most, not {}", options.variant, most, options.scans),
               "give fewer --scans or another --variant, or --max-scans 0 for a model without a table of their order");
  return what;
}

// On a backend of its own: blocks that products leave in an allocator's cache are not the step's.
std::optional<Ceiling> ceiling_of(const BenchOptions& options, const TrainingCase& what) {
  if (options.no_ceiling) return {};
  return product_ceiling(wire_backend(options.backend, {.threads = options.threads, .exact = !options.inexact}),
                         what.dtype, what.config.width);
}

// Up to that many steps; on a device no more than take kLongest seconds, but one.
void repeat(const BenchResult& result, int steps, const std::function<void()>& step) {
  constexpr double kLongest = 8;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (i > 0 && !result.host && seconds > kLongest) return;
    step();
  }
}

void time_steps(const BenchOptions& options, BenchTraining& training, Context& ctx, BenchResult& result) {
  repeat(result, options.warmup, [&] { training.step(ctx); });
  ctx.backend().reset_peak();
  if (!result.host && options.repeats > 1)
    repeat(result, options.repeats, [&] { result.whole.push_back(training.whole_step(ctx)); });
  repeat(result, options.repeats, [&] { result.steps.push_back(training.step(ctx)); });
  result.memory = ctx.backend().memory();
  result.peak_rss = peak_resident_bytes();
}

void profile_steps(const BenchOptions& options, const WiredBackend& wired, ProfileRows rows, BenchTraining& training,
                   BenchResult& result) {
  Profile profile(wired.context(), options.composition ? ProfileRows::by_shape : rows, options.composition);
  const WiredBackend timed = wired.wrapped([&](const auto& entry) { return profile.wrap(entry); });
  Context ctx = timed.context();
  const int steps = result.host ? options.repeats : 1;  // a device's repeats every call by itself
  for (; result.profiled_steps < steps; ++result.profiled_steps) result.profiled_seconds += training.profiled_step(ctx);
  result.profiled_seconds -= profile.overhead();
  if (!result.host) result.profiled_seconds = result.profiled_steps * step_seconds(result);
  result.profile = profile.rows();
}

void measure(const BenchOptions& options, const TrainingCase& what, ProfileRows rows, BenchResult& result) {
  result.before = ceiling_of(options, what);
  if (!options.no_ceiling || options.composition)
    result.bandwidth =
        copy_bandwidth(wire_backend(options.backend, {.threads = options.threads, .exact = !options.inexact}));
  const WiredBackend wired = wire_backend(options.backend, {.threads = options.threads, .exact = !options.inexact});
  Context ctx = wired.context();
  BenchTraining training(ctx, what);
  time_steps(options, training, ctx, result);
  if (options.profile || options.composition) profile_steps(options, wired, rows, training, result);
  if (options.composition)
    result.composition = compose(result.profile, result.profiled_steps, step_seconds(result), result.bandwidth);
  if (options.composition && !options.profile) result.profile.clear();
  result.after = ceiling_of(options, what);
}

void write(const BenchOptions& options, const BenchResult& result) {
  const std::string text = text_of(options, result);
  std::fwrite(text.data(), 1, text.size(), options.json == "-" ? stderr : stdout);
  if (options.json.empty()) return;
  const std::string json = json_of(options, result).dump(2) + "\n";
  if (options.json == "-") {
    std::fwrite(json.data(), 1, json.size(), stdout);
    return;
  }
  std::ofstream file(options.json);
  file << json;
  file.close();
  STRATA_CHECK(!file.fail(), environment, options.json, "the report could not be written",
               "does the folder exist, and is there room?");
}

void bench(BenchOptions options, ProfileRows rows) {
  const TrainingCase what = case_of(options);
  BenchResult result;
  result.load = load_average();
  result.host = options.backend != "cuda";
  if (options.repeats == 0) options.repeats = result.host ? 5 : 20;
  if (options.warmup < 0) options.warmup = result.host ? 1 : 5;  // a device also chooses algorithms, and its clock
  if (result.host) {
    const WiredBackend wired = wire_backend(options.backend, {.threads = options.threads, .exact = !options.inexact});
    result.threads = wired.backend()->name() == "cpu" ? cpu_thread_count(*wired.backend()) : 1;
  }
  result.prediction = predict_training(options.backend, options.threads, what);
  if (!options.dry_run) measure(options, what, rows, result);
  write(options, result);
}

void add_options(CLI::App& parser, BenchOptions& o) {
  parser.add_option("--variant", o.variant, "model, by its published name")->type_name("NAME");
  parser.add_option("--studies", o.studies, "studies of a step, all at once")->check(CLI::PositiveNumber);
  parser.add_option("--scans", o.scans, "scans of each study")->check(CLI::PositiveNumber);
  parser.add_option("--max-scans", o.max_scans, "in place of the variant's; 0: no table of their order, any number")
      ->check(CLI::NonNegativeNumber);
  parser.add_option("--dtype", o.dtype, "f32, or bf16 with f32 masters")->check(CLI::IsMember({"f32", "bf16", "f64"}));
  parser.add_option("--patch-dropout", o.patch_dropout, "share of patch tokens left out")->check(CLI::Range(0.0, 0.99));
  parser.add_option("--checkpointing", o.checkpointing, "what backward computes again")
      ->check(CLI::IsMember({"none", "selective", "full"}));
  parser.add_option("--optimizer", o.optimizer, "adamw, adam, sgd, lion or lamb")->type_name("NAME");
  parser.add_option("--threads", o.threads, "0: as OpenMP says")->check(CLI::NonNegativeNumber);
  parser.add_option("--repeats", o.repeats, "measured steps; default: 5, on a device 20 or as many as take 8 seconds")
      ->check(CLI::PositiveNumber);
  parser.add_option("--warmup", o.warmup, "steps before them, 0 where one takes minutes; default: 1, on a device 5")
      ->check(CLI::NonNegativeNumber);
  parser.add_option("--backend", o.backend, "default: cuda where there is a device, else cpu")->type_name("NAME");
  parser.add_option("--json", o.json, "also write the report as JSON; - for standard output")->type_name("FILE");
  parser.add_flag("--composition", o.composition,
                  "what the step would take were each op as fast as alone, or as a copy");
  parser.add_flag("--inexact", o.inexact, "on a device: attention adds up gradients in any order, as exact=false does");
  parser.add_flag("--no-ceiling", o.no_ceiling, "do not measure the fastest products beside it");
}

}  // namespace

Action add_bench(CLI::App& parser) {
  parser.require_subcommand(1);
  const auto train = std::make_shared<BenchOptions>(), ops = std::make_shared<BenchOptions>();
  CLI::App* steps = parser.add_subcommand("train", "training steps of a study encoder: time, rate, memory by kind");
  add_options(*steps, *train);
  steps->add_flag("--profile", train->profile, "also the time of each op in as many further steps");
  steps->add_flag("--dry-run", train->dry_run, "only predict memory and count FLOPs");
  CLI::App* each = parser.add_subcommand("ops", "every op of such a step at its shapes, longest first");
  add_options(*each, *ops);
  ops->profile = true;
  return [=] { steps->parsed() ? bench(*train, ProfileRows::by_op) : bench(*ops, ProfileRows::by_shape); };
}

}  // namespace strata::app
