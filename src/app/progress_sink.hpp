// SPDX-License-Identifier: Apache-2.0
//
// A run's numbers for whoever sits in front of it: on a terminal one line that is rewritten, elsewhere (a job's log) a
// plain line now and then. Reads the values "loss", "lr" and "studies_per_second" of "train" records and the score of
// "eval" records; what a record lacks is left out. Write "train" records as often as every step: most are not shown.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "strata/io/metric_sink.hpp"

namespace strata::app {

struct ProgressOptions {
  std::int64_t steps = 0;                                                      // of the whole run
  std::FILE* stream = stderr;                                                  // stays open
  std::optional<bool> terminal{};                                              // default: what the stream is
  double every = 10;                                                           // seconds between plain lines
  std::vector<std::string> scores{"auroc", "recall@1/image_to_text", "loss"};  // the first finite one counts
};

// flush() ends the rewritten line, so that what is printed next begins on a line of its own.
std::unique_ptr<io::MetricSink> progress_sink(ProgressOptions options);

}  // namespace strata::app
