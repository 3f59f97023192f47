// SPDX-License-Identifier: Apache-2.0
// strata train: language-image pre-training as a configuration describes it, on any number of ranks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>

#include "app/command.hpp"
#include "app/dry_run.hpp"
#include "app/plot_run.hpp"
#include "app/training_job.hpp"
#include "parallel/comm/transports.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

struct TrainOptions {
  std::string run, resume;
  std::vector<std::string> overrides;
  bool help_config = false, dry_run = false;
  int ranks = 0;
  std::int64_t scans = 0;
};

ResumeOptions resume_of(const std::string& text) {
  if (text.empty() || text == "never") return {};
  if (text == "auto") return {.wanted = true, .step = {}};
  std::int64_t step = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), step);
  STRATA_CHECK(code == std::errc() && end == text.data() + text.size() && step >= 0, usage, "train",
               fmt::format("--resume cannot read '{}'", io::printable(text)), "give auto, never, or a step");
  return {.wanted = true, .step = step};
}

void train(const TrainOptions& options) {
  if (options.help_config) {
    fmt::print("{}", run_help());
    return;
  }
  STRATA_CHECK(!options.run.empty(), usage, "train", "no configuration was named",
               "give a name of configs/run, or a file: strata train quickstart");
  const ReadRun read = read_run(options.run, options.overrides);
  if (options.dry_run) return print_dry_run(read.run, read.resolved, std::max(1, options.ranks), options.scans);
  const ResumeOptions resume = resume_of(options.resume);
  comm::run_world([&](comm::Communicator& world) {
    const bool done = run_training(world, read, resume);
    if (world.rank() != 0) return;
    plot_run(run_folder(read.run));
    if (!done) fmt::print("stopped as asked, behind a checkpoint: --resume auto goes on from it\n");
  });
}

}  // namespace

Action add_train(CLI::App& parser) {
  const auto options = std::make_shared<TrainOptions>();
  const auto o = options.get();
  parser.add_option("run", o->run, "what to train: a name of configs/run, or a file")->type_name("RUN");
  parser.add_option("overrides", o->overrides, "settings over those of the file: optim.lr=1e-4 model=small")
      ->type_name("KEY=VALUE");
  parser
      .add_option("--resume", o->resume,
                  "auto: go on from the last checkpoint, if there is one; a number: from that step")
      ->type_name("auto|STEP");
  parser.add_flag("--help-config", o->help_config, "print all settings with types, units and defaults");
  auto* dry = parser.add_flag("--dry-run", o->dry_run,
                              "train nothing: print the resolved configuration, parameters, memory, FLOPs and, with "
                              "peak_tflops, time; no data or device needed");
  parser.add_option("--ranks", o->ranks, "of a dry run")->needs(dry)->check(CLI::Range(1, 1 << 20));
  parser.add_option("--scans", o->scans, "of every study of a dry run")->needs(dry)->check(CLI::Range(1, 10'000));
  return [options] { train(*options); };
}

}  // namespace strata::app
