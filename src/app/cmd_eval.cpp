// SPDX-License-Identifier: Apache-2.0
// strata eval: a trained model on held-out studies: zero-shot by the prompts of a label set, retrieval, loss.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "app/command.hpp"
#include "app/eval_report.hpp"
#include "app/image_text_model.hpp"
#include "app/label_set.hpp"
#include "app/study_sets.hpp"
#include "app/wiring.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"
#include "strata/comm/together.hpp"
#include "strata/engine/evaluation.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::int64_t kStudiesAStep = 256, kTokens = 16384;

struct EvalOptions {
  std::string label_set, checkpoint, to, backend;
  std::vector<std::string> overrides, sets;
  std::int64_t tokens = kTokens;
  metrics::BootstrapOptions bootstrap;
  int threads = 0;
  bool best = false, json = false;
};

// The studies that were named, or those that the run held out.
std::vector<SetSettings> sets_of(const EvalOptions& options, const RunConfig& run) {
  std::vector<SetSettings> sets;
  for (const auto& text : options.sets) sets.push_back(parse_set(text));
  if (options.sets.empty()) sets = run.data.eval;
  STRATA_CHECK(!sets.empty(), usage, "eval", "no studies were named, and the run holds none out",
               "name a set of shards, and a split of it: --data set:test");
  return sets;
}

std::string name_of(const SetSettings& set) {
  std::string text = set.path;
  for (const auto& split : set.splits) text += (&split == &set.splits.front() ? ":" : ",") + split;
  return text;
}

// More slices than in training are welcome: positions are resampled. Patches must fit.
void check_grid(const study::StoredGrid& grid, const models::HierarchicalVit3dConfig& model, bool talk) {
  STRATA_CHECK(grid.channels == model.channels, usage, "eval",
               fmt::format("the studies have {} channels, the model reads {}", grid.channels, model.channels),
               "ingest them with the profile of the training set");
  const auto text = [](const std::array<std::int64_t, 3>& e) { return fmt::format("{}×{}×{}", e[0], e[1], e[2]); };
  for (std::size_t axis = 0; axis < 3; ++axis)
    STRATA_CHECK(grid.extents[axis] % model.patch[axis] == 0, usage, "eval",
                 fmt::format("scans of {} voxels (D×H×W) do not divide into the model's patches of {}",
                             text(grid.extents), text(model.patch)),
                 fmt::format("ingest with a grid of multiples of {}", text(model.patch)));
  if (talk && grid.extents != model.image)
    std::fprintf(stderr, "eval: scans of %s voxels for a model trained on %s: positions are resampled\n",
                 text(grid.extents).c_str(), text(model.image).c_str());
}

// What is packed together follows from the studies alone, so that numbers do not depend on the ranks.
data::LoaderOptions loader_options(const models::HierarchicalVit3dConfig& model, const study::StoredGrid& grid,
                                   const EvalOptions& options, const comm::Communicator& world) {
  data::LoaderOptions loader;
  loader.order = data::StudyOrder::sequential;
  loader.batch_studies = kStudiesAStep;
  loader.max_scans = model.max_scans == 1 ? 1 : 0;  // more scans than a table has rows: it is resampled
  loader.packing.token_budget = options.tokens;
  for (std::size_t axis = 0; axis < 3; ++axis) loader.packing.tokens_a_scan *= grid.extents[axis] / model.patch[axis];
  loader.rank = world.rank();
  loader.ranks = world.size();
  return loader;
}

std::vector<std::int64_t> with_reports(const data::Mixture& mixture) {
  std::vector<std::int64_t> which;
  for (std::int64_t i = 0; i < mixture.studies(); ++i) {
    const data::StudyRef ref = mixture.at(i);
    if (!mixture.source(ref.set).report(ref.study).empty()) which.push_back(i);
  }
  return which;
}

RetrievalReport retrieval_of(Context& ctx, LoadedModel& loaded, const engine::EncodedStudies& studies,
                             comm::Communicator& world) {
  const engine::Retrieval found = engine::retrieve(studies, world);
  RetrievalReport report;
  report.studies = studies.studies();
  report.identical_reports = found.identical_reports;
  report.loss_batch = std::min(loaded.run.train.batch, studies.studies());
  report.loss = engine::held_out_loss(ctx, *loaded.model.objective, studies, loaded.run.train.batch);
  for (const std::int64_t k : {1, 5, 10, 50})
    report.recalls.push_back(
        {k, metrics::recall_at(found.places.forward, k), metrics::recall_at(found.places.backward, k)});
  return report;
}

// Of this rank's share, now and then.
class Progress {
 public:
  explicit Progress(bool shown) : shown_(shown) {}
  void operator()(std::int64_t done) {
    if (!shown_ || Clock::now() - last_ < std::chrono::seconds(5)) return;
    last_ = Clock::now();
    const double rate = static_cast<double>(done) / std::chrono::duration<double>(last_ - begin_).count();
    std::fprintf(stderr, "eval: %lld studies of this rank, %.1f a second\n", static_cast<long long>(done), rate);
  }

 private:
  bool shown_;
  Clock::time_point begin_ = Clock::now(), last_ = begin_;
};

void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  STRATA_CHECK(file.good(), environment, "eval", fmt::format("cannot write {}", io::printable(path.string(), 400)),
               "is the disk full, or the folder someone else's?");
}

void write_results(const std::string& folder, const EvalReport& report, const engine::EncodedStudies& studies) {
  const std::filesystem::path to(folder);
  write_text(to / "scores.json", json_of(report));
  for (std::size_t task = 0; task < report.scores.size(); ++task)
    write_text(to / predictions_name(report, task), predictions_of(report, task, studies));
}

// Asked before the work, not after it.
void prepare_folder(comm::Communicator& world, const std::string& folder) {
  if (folder.empty()) return;
  comm::together(world, [&] {
    std::error_code error;
    if (world.rank() == 0) std::filesystem::create_directories(folder, error);
    STRATA_CHECK(!error, environment, "eval",
                 fmt::format("cannot make the folder {}: {}", io::printable(folder, 400), error.message()));
  });
}

void check_studies(const EvalReport& report) {
  const bool some = std::ranges::any_of(report.tasks, [](const engine::TaskReport& task) {
    return std::ranges::any_of(task.classes, [](const auto& one) { return one.positive + one.negative > 0; });
  });
  STRATA_CHECK(some, data, "eval",
               fmt::format("none of {} studies has a label that {} asks for", report.studies, report.label_set),
               "look at the labels with strata inspect; ingest them with --reports and --labels");
}

void evaluate(comm::Communicator& world, const EvalOptions& options, const engine::ZeroShotSpec& spec) {
  const auto begin = Clock::now();
  prepare_folder(world, options.to);
  const WiredBackend wired = wire_backend(options.backend, {.threads = options.threads});
  Context ctx = wired.context();
  LoadedModel loaded = load_model(ctx, world, options.checkpoint, options.best);
  StudySets sets(world);
  const auto settings = sets_of(options, loaded.run);
  const auto chosen = sets.choose(settings, false);
  const auto model = visual_config(loaded.run.model);
  check_grid(chosen.front().source->grid(), model, world.rank() == 0);
  data::Loader loader(chosen, loader_options(model, chosen.front().source->grid(), options, world));
  engine::check_columns(spec, loader.mixture().label_names());

  const engine::TextReading reading = text_reading(loaded.run, loaded.model);
  const auto reports = with_reports(loader.mixture());
  Progress progress(world.rank() == 0);
  const engine::EncodedStudies studies =
      engine::encode_studies(ctx, *loaded.model.objective, loader, reports.empty() ? engine::TextReading{} : reading,
                             world, [&](std::int64_t done) { progress(done); });
  EvalReport report;
  report.label_set = spec.name;
  report.origin = {{"checkpoint", loaded.path}, {"run", loaded.run.name}};
  for (const auto& set : settings) report.sets.push_back(name_of(set));
  report.step = loaded.step;
  report.studies = studies.studies();
  report.scores = engine::zero_shot_scores(ctx, *loaded.model.objective, reading, spec, studies, world);
  if (!reports.empty()) report.retrieval = retrieval_of(ctx, loaded, engine::some_of(studies, reports), world);
  if (world.rank() == 0)
    for (const auto& scores : report.scores) report.tasks.push_back(engine::judge(scores, options.bootstrap));
  comm::together(world, [&] {
    if (world.rank() != 0) return;
    check_studies(report);
    report.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (!options.to.empty()) write_results(options.to, report, studies);
  });
  if (world.rank() != 0) return;
  if (options.json) return fmt::print("{}", json_of(report));
  fmt::print("{}", table_of(report));
  fmt::print("{} studies in {:.1f} s, weights of step {}\n", report.studies, report.seconds, report.step);
}

}  // namespace

Action add_eval(CLI::App& parser) {
  const auto options = std::make_shared<EvalOptions>();
  const auto o = options.get();
  parser.add_option("labels", o->label_set, "what is asked: a name of configs/eval (cq500, ct_rate, ...), or a file")
      ->required()
      ->type_name("LABELSET");
  parser
      .add_option("overrides", o->overrides,
                  "settings over those of the label set: tasks[0].threshold=fixed templates='[\"{}\"]'")
      ->type_name("KEY=VALUE");
  parser.add_option("--checkpoint", o->checkpoint, "a run's folder (its last checkpoint), or one checkpoint")
      ->required()
      ->type_name("DIR");
  parser.add_flag("--best", o->best, "of a run's folder the best checkpoint, not the last");
  parser
      .add_option("--data", o->sets,
                  "sets of shards, each with the splits that are wanted; default: what the run held out")
      ->type_name("SET[:SPLIT,...]");
  parser.add_option("--to", o->to, "a folder for scores.json and predictions.csv")->type_name("FOLDER");
  parser.add_flag("--json", o->json, "print scores.json in place of the table");
  parser.add_option("--resamples", o->bootstrap.resamples, "of the bootstrap intervals")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str()
      ->type_name("N");
  parser.add_option("--seed", o->bootstrap.seed, "of the bootstrap's draws")->capture_default_str()->type_name("N");
  parser.add_option("--tokens", o->tokens, "most image tokens that are computed together; less needs less memory")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40))
      ->capture_default_str()
      ->type_name("N");
  parser.add_option("--backend", o->backend, "which backend computes (strata info lists them)")->type_name("NAME");
  parser.add_option("--threads", o->threads, "threads of the cpu backend a rank; 0: as the environment says")
      ->check(CLI::Range(0, 4096))
      ->type_name("N");
  return [options] {
    const engine::ZeroShotSpec spec = read_label_set(options->label_set, options->overrides);
    comm::run_world([&](comm::Communicator& world) { evaluate(world, *options, spec); });
  };
}

}  // namespace strata::app
