// SPDX-License-Identifier: Apache-2.0
//
// SIGTERM, SIGUSR1 (what a batch system sends before the time is up) and SIGINT as a wish: finish the step, leave a
// checkpoint, go. A second SIGINT ends the program at once.
#pragma once

namespace strata::app {

// Signals are heard while this lives. One at a time.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
};

bool stop_requested();

}  // namespace strata::app
