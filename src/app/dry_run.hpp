// SPDX-License-Identifier: Apache-2.0
//
// `strata train … --dry-run`: what a configuration comes to, without data or a device: itself resolved, parameters,
// memory of a rank by a rehearsal, FLOPs of a step and, with a stated peak, time.
#pragma once

#include <string>

#include "app/rehearsal.hpp"

namespace strata::app {

std::string dry_run_text(const RunConfig& run, const Rehearsal& rehearsal, int ranks);

// To standard output: the resolved configuration, then the text. `scans`: of a study (RehearsalOptions).
void print_dry_run(const RunConfig& run, const std::string& resolved, int ranks, std::int64_t scans = 0);

}  // namespace strata::app
