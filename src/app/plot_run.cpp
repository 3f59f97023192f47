// SPDX-License-Identifier: Apache-2.0
#include "app/plot_run.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "io/image/image.hpp"
#include "io/metrics/metrics.hpp"
#include "io/plot/plot.hpp"
#include "strata/base/error.hpp"
#include "strata/base/log.hpp"
#include "strata/io/text.hpp"

namespace strata::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSparse = 60;  // points, up to which each gets a dot

struct Curve {
  std::string kind;
  std::map<std::int64_t, double> values;  // by step
};

struct Run {
  std::string name, path;
  std::map<std::string, Curve> curves;  // "train/loss"
};

// Several values in one panel. Patterns as the shell has them.
struct PanelPlan {
  std::string title;
  std::vector<std::string> patterns;
  bool log = false;
};

std::string runs_within(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (fs::exists(at->path() / io::kMetricsFile, error)) names.push_back(io::printable(at->path().string(), 400));
  std::ranges::sort(names);
  if (names.size() > 8) names.resize(8);
  return names.empty() ? "give the folder of a run: output/name of its configuration"
                       : fmt::format("it holds runs: {}", fmt::join(names, ", "));
}

std::string metrics_file_of(const std::string& path) {
  std::error_code error;
  STRATA_CHECK(fs::exists(path, error), data, "plot", fmt::format("there is no run {}", io::printable(path, 400)),
               "give the folder of a run: output/name of its configuration");
  if (!fs::is_directory(path, error)) return path;
  const fs::path file = fs::path(path) / io::kMetricsFile;
  STRATA_CHECK(fs::exists(file, error), data, "plot",
               fmt::format("{} holds no {}", io::printable(path, 400), io::kMetricsFile), runs_within(path));
  return file.string();
}

Run read_run_of(const std::string& path) {
  fs::path folder = fs::path(path).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();
  if (folder.filename() == io::kMetricsFile && folder.has_parent_path()) folder = folder.parent_path();
  Run run{folder.filename() == "." ? fs::current_path().filename().string() : folder.filename().string(), path, {}};
  for (const auto& record : io::read_metrics(metrics_file_of(path))) {
    if (record.kind == "start") continue;  // facts, not curves
    for (const auto& [name, value] : record.values) {
      Curve& curve = run.curves[io::metric_name(record.kind, name)];
      curve.kind = record.kind;
      curve.values[record.step] = value;
    }
  }
  STRATA_CHECK(!run.curves.empty(), data, "plot", fmt::format("{} has recorded no value yet", io::printable(path, 400)),
               "wait for its first steps");
  return run;
}

std::vector<Run> read_runs(const std::vector<std::string>& paths) {
  std::vector<Run> runs;
  for (const auto& path : paths) runs.push_back(read_run_of(path));
  std::map<std::string, int> names;
  for (const auto& run : runs) ++names[run.name];
  for (auto& run : runs)
    if (names[run.name] > 1) run.name = run.path;
  return runs;
}

bool matches(const std::string& pattern, const std::string& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

// Names of all runs that a pattern means: "train/loss" itself, or "loss" of any kind; in the order of the patterns.
std::vector<std::string> names_of(const std::vector<Run>& runs, const std::vector<std::string>& patterns) {
  std::vector<std::string> names;
  for (const auto& pattern : patterns) {
    std::set<std::pair<bool, std::string>> found;  // "train" first, as it is what happens most
    for (const auto& run : runs)
      for (const auto& [name, curve] : run.curves)
        if (matches(pattern, name) || matches(io::metric_name(curve.kind, pattern), name))
          found.emplace(curve.kind != "train", name);
    for (const auto& [later, name] : found)
      if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

[[noreturn]] void no_value(const std::vector<Run>& runs, const std::string& wanted) {
  std::set<std::string> known;
  for (const auto& run : runs)
    for (const auto& [name, curve] : run.curves) {
      known.insert(name);
      known.insert(name.substr(curve.kind.size() + 1));
    }
  std::vector<std::string> listed;
  for (const auto& name : names_of(runs, {"*"})) listed.push_back(name);
  const auto near = nearest_name(wanted, known);
  constexpr std::size_t kListed = 30;
  const std::size_t more = listed.size() > kListed ? listed.size() - kListed : 0;
  listed.resize(listed.size() - more);
  fail(ErrorKind::usage, "plot", fmt::format("no value of the name {} was recorded", io::printable(wanted)),
       fmt::format("{}there are: {}{}", near.empty() ? "" : fmt::format("did you mean '{}'? ", near),
                   fmt::join(listed, ", "), more > 0 ? fmt::format(" and {} more", more) : ""));
}

std::vector<PanelPlan> plans_of(const std::vector<Run>& runs, const CurveOptions& options) {
  std::vector<PanelPlan> plans;
  for (const auto& value : options.values) {
    if (names_of(runs, {value}).empty()) no_value(runs, value);
    plans.push_back({value, {value}, options.log});
  }
  if (plans.empty())
    plans = {{"loss", {"train/loss", "eval/loss"}, options.log},
             {"scores", {"eval/auroc", "eval/recall@*"}},
             {"learning rate", {"train/lr"}},
             {"studies per second", {"train/studies_per_second"}}};
  return plans;
}

io::PlotSeries series_of(const Curve& curve, const std::string& name, std::size_t colour, double smooth) {
  io::PlotSeries series{.name = name, .x = {}, .y = {}, .colour = colour};
  for (const auto& [step, value] : curve.values) {
    series.x.push_back(static_cast<double>(step));
    series.y.push_back(value);
  }
  series.markers = series.x.size() <= kSparse;
  if (smooth > 0 && curve.kind == "train") {
    series.faint = series.y;
    series.y = io::smoothed(series.y, smooth);
  }
  return series;
}

// "eval/auroc" beside "eval/recall@1" are "auroc" and "recall@1"; beside "train/loss" the kinds stay.
void shorten_names(io::PlotPanel& panel) {
  std::set<std::string> kinds;
  for (const auto& series : panel.series) kinds.insert(series.name.substr(0, series.name.find('/') + 1));
  if (kinds.size() != 1) return;
  for (auto& series : panel.series) series.name.erase(0, kinds.begin()->size());
}

// One run: the values of a plan share a panel.
std::vector<io::PlotPanel> panels_of(const Run& run, const std::vector<PanelPlan>& plans, const CurveOptions& options) {
  std::vector<io::PlotPanel> panels;
  for (const auto& plan : plans) {
    io::PlotPanel panel{plan.title, {}, plan.log};
    for (const auto& name : names_of({run}, plan.patterns))
      panel.series.push_back(series_of(run.curves.at(name), name, panel.series.size(), options.smooth));
    if (panel.series.size() == 1) panel.title = panel.series.front().name;
    shorten_names(panel);
    if (!panel.series.empty()) panels.push_back(std::move(panel));
  }
  return panels;
}

// Several runs: a panel a value, the colour is the run's in all of them.
std::vector<io::PlotPanel> panels_of(const std::vector<Run>& runs, const std::vector<PanelPlan>& plans,
                                     const CurveOptions& options) {
  std::vector<io::PlotPanel> panels;
  for (const auto& plan : plans)
    for (const auto& name : names_of(runs, plan.patterns)) {
      io::PlotPanel panel{name, {}, plan.log};
      for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto curve = runs[i].curves.find(name);
        if (curve != runs[i].curves.end())
          panel.series.push_back(series_of(curve->second, runs[i].name, i, options.smooth));
      }
      panels.push_back(std::move(panel));
    }
  return panels;
}

}  // namespace

std::string plot_runs(const std::vector<std::string>& paths, const std::string& path, const CurveOptions& options) {
  STRATA_CHECK(options.smooth >= 0 && options.smooth < 1, usage, "plot",
               fmt::format("the past cannot weigh {}", options.smooth), "give a value from 0 to below 1, as 0.9");
  const std::vector<Run> runs = read_runs(paths);
  const auto plans = plans_of(runs, options);
  const auto panels = runs.size() == 1 ? panels_of(runs.front(), plans, options) : panels_of(runs, plans, options);
  if (panels.empty()) no_value(runs, "loss");
  const std::string title = runs.size() == 1 ? runs.front().name : fmt::format("{} runs", runs.size());
  const io::Image image = io::plot(panels, title, {.columns = panels.size() > 4 ? 3 : 2});
  io::write_png(path, image);
  return fmt::format("{}: {} panel{}, {} x {} pixels in {}", title, panels.size(), panels.size() == 1 ? "" : "s",
                     image.width, image.height, io::printable(path, 400));
}

void plot_run(const std::string& folder) {
  try {
    plot_runs({folder}, (fs::path(folder) / "curves.png").string(), {});
  } catch (const std::exception& error) {
    log(LogLevel::warning, "plot", fmt::format("no curves were drawn: {}", error.what()));
  }
}

}  // namespace strata::app
