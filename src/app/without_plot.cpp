// SPDX-License-Identifier: Apache-2.0
#include "app/command.hpp"
#include "app/plot_run.hpp"
#include "strata/base/error.hpp"
#include "strata/base/log.hpp"

namespace strata::app {

Action add_plot(CLI::App& parser) {
  parser.allow_extras();
  return [] {
    fail(ErrorKind::environment, "plot", "this build lacks libpng",
         "install the libraries (scripts/setup.sh) and configure again; the configuration lists what was not found");
  };
}

void plot_run(const std::string&) { log(LogLevel::warning, "plot", "no curves were drawn: this build lacks libpng"); }

}  // namespace strata::app
