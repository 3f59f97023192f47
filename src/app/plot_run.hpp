// SPDX-License-Identifier: Apache-2.0
//
// What runs recorded, as curves over steps: of one run panels of loss, scores, learning rate and throughput; of several
// a panel a value with a curve a run.
#pragma once

#include <string>
#include <vector>

namespace strata::app {

struct CurveOptions {
  std::vector<std::string> values;  // "loss", "eval/auroc"; empty: the default panels
  double smooth = 0;                // weight of the past in an exponential mean of what is recorded often, below 1
  bool log = false;                 // logarithmic values, of losses and what `values` names
};

// Writes a picture of the runs (folders, or their metrics.jsonl) to `path`, a .png, and returns a sentence about it.
// No such run, no metrics, nothing recorded: data error; no value of a name: usage error with the nearest.
std::string plot_runs(const std::vector<std::string>& runs, const std::string& path, const CurveOptions& options);

// The default picture of one run to RUN/curves.png, as training writes it at its end. Never throws: a failure is
// logged as a warning, because no training ends over a picture.
void plot_run(const std::string& folder);

}  // namespace strata::app
