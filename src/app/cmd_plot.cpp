// SPDX-License-Identifier: Apache-2.0
// strata plot: what runs recorded, as curves in one picture.
#include <fmt/format.h>

#include <filesystem>

#include "app/command.hpp"
#include "app/plot_run.hpp"
#include "strata/base/error.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

struct PlotArguments {
  std::vector<std::string> runs;
  std::string to;
  CurveOptions curves;
};

// A run's picture stands with the run, that of several here.
std::string default_picture(const std::vector<std::string>& runs) {
  const std::filesystem::path only(runs.front());
  std::error_code ignored;
  if (runs.size() > 1) return "curves.png";
  return (std::filesystem::is_directory(only, ignored) ? only / "curves.png" : only.parent_path() / "curves.png")
      .string();
}

void draw(const PlotArguments& arguments) {
  const std::string path = arguments.to.empty() ? default_picture(arguments.runs) : arguments.to;
  STRATA_CHECK(path.ends_with(".png"), usage, "plot", fmt::format("cannot write {}", io::printable(path, 400)),
               "end it in .png");
  fmt::print("{}\n", plot_runs(arguments.runs, path, arguments.curves));
}

}  // namespace

Action add_plot(CLI::App& parser) {
  const auto arguments = std::make_shared<PlotArguments>();
  CurveOptions& curves = arguments->curves;
  parser.add_option("runs", arguments->runs, "folders of runs, or their metrics.jsonl")->required()->type_name("RUN");
  parser.add_option("--to", arguments->to, "the picture, .png; default: RUN/curves.png, of several runs curves.png")
      ->type_name("OUT");
  parser
      .add_option("--values", curves.values,
                  "a panel each, as loss,lr,eval/auroc or 'auroc/*'; default: loss, scores, lr, throughput")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME");
  parser
      .add_option("--smooth", curves.smooth,
                  "weight of the past in an exponential mean of training's values, as 0.9; the values stay, pale")
      ->type_name("WEIGHT");
  parser.add_flag("--log", curves.log, "logarithmic losses, or all of --values");
  return [arguments] { draw(*arguments); };
}

}  // namespace strata::app
