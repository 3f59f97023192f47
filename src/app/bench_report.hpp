// SPDX-License-Identifier: Apache-2.0
//
// What `strata bench` found, as a short table for people and as JSON for perf/compare.py. The JSON holds everything
// that a number depends on: machine, build, settings.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "app/bench_ceiling.hpp"
#include "app/bench_composition.hpp"
#include "app/bench_profile.hpp"
#include "app/bench_training.hpp"

namespace strata::app {

struct BenchOptions {
  std::string backend, variant = "vit_base_multiscan_h2_token1176", dtype = "f32", checkpointing = "none",
                       optimizer = "adamw";
  std::int64_t studies = 1, scans = 1, max_scans = -1;  // -1: the variant's
  int threads = 0, repeats = 0, warmup = -1;            // 0 and -1: enough for what it runs on
  double patch_dropout = 0;
  bool no_ceiling = false, profile = false, composition = false, dry_run = false, inexact = false;
  std::string json;  // a file, "-" for standard output, empty for none
};

struct BenchResult {
  int threads = 1;  // in use
  Prediction prediction;
  bool host = true;                      // the backend computes where the program runs
  std::vector<StepSeconds> steps;        // part by part; empty after a dry run
  std::vector<double> whole;             // seconds of steps without waiting in between; a device's alone
  std::optional<Ceiling> before, after;  // of the steps
  double bandwidth = 0;                  // of copies, bytes a second; 0: not measured
  MemoryReport memory;                   // peak over the steps
  std::int64_t peak_rss = 0;             // of the whole process so far, bytes
  std::vector<Profile::Row> profile;     // empty unless asked for
  int profiled_steps = 0;
  double profiled_seconds = 0;  // of these; of a device: of as many steps that were not profiled
  std::optional<Composition> composition;
  double load = 0;  // load average (1 minute) when it began
};

double step_seconds(const BenchResult& result);  // median
nlohmann::ordered_json json_of(const BenchOptions& options, const BenchResult& result);
std::string text_of(const BenchOptions& options, const BenchResult& result);

// Peak resident memory of this process in bytes, and the machine's load average; 0 where the system does not say.
std::int64_t peak_resident_bytes();
double load_average();

}  // namespace strata::app
