// SPDX-License-Identifier: Apache-2.0
//
// A training as `strata train` runs it: everything that a configuration names is opened, built and connected here, and
// nowhere else. On each rank; collective.
#pragma once

#include <optional>
#include <string>

#include "app/run_config.hpp"
#include "strata/comm/communicator.hpp"

namespace strata::app {

struct ResumeOptions {
  bool wanted = false;               // go on where the run's last checkpoint stands; without one: begin
  std::optional<std::int64_t> step;  // of this one instead
};

// The run's folder: run.output/run.name.
std::string run_folder(const RunConfig& run);

// A folder that holds a run already, when it is not to be resumed: usage error. Returns whether all steps are done
// (otherwise a signal asked to leave, and a checkpoint stands at the step where it did).
bool run_training(comm::Communicator& world, const ReadRun& read, const ResumeOptions& resume);

}  // namespace strata::app
