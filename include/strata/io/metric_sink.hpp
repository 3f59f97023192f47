// SPDX-License-Identifier: Apache-2.0
//
// Where a run's numbers go: to a terminal, to lines of JSON, to event files. The engine says what happened, once; sinks
// (io/metrics, the program) write it down. Called by rank 0 alone. A sink that cannot write says so once and goes on:
// numbers for people never end a training.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace strata::io {

// One event of a run at a step: steps done so far, 0 before the first.
struct MetricRecord {
  std::string kind;  // "train", "eval", "checkpoint", "start", "end"
  std::int64_t step = 0;
  double seconds = 0;                                        // since this start of the run
  std::vector<std::pair<std::string, double>> values;        // "loss", "lr", "studies_per_second", "auroc/ICH"
  std::vector<std::pair<std::string, std::string>> texts{};  // "checkpoint": a path, "config": YAML
};

class MetricSink {
 public:
  virtual ~MetricSink() = default;
  virtual void write(const MetricRecord& record) = 0;
  virtual void flush() {}  // all that was written is on its way to the disk
};

}  // namespace strata::io
