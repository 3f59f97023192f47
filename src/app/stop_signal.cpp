// SPDX-License-Identifier: Apache-2.0
#include "app/stop_signal.hpp"

#include <array>
#include <csignal>

namespace strata::app {
namespace {

constexpr std::array kSignals{SIGTERM, SIGUSR1, SIGINT};

// A handler has no other place to write to.
volatile std::sig_atomic_t requested = 0;

void hear(int signal) {
  requested = 1;
  if (signal == SIGINT) std::signal(SIGINT, SIG_DFL);
}

}  // namespace

StopSignals::StopSignals() {
  requested = 0;
  for (const int signal : kSignals) std::signal(signal, hear);
}

StopSignals::~StopSignals() {
  for (const int signal : kSignals) std::signal(signal, SIG_DFL);
}

bool stop_requested() { return requested != 0; }

}  // namespace strata::app
