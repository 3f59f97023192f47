// SPDX-License-Identifier: Apache-2.0
#include "app/command.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

Action add_eval(CLI::App& parser) {
  parser.allow_extras();
  return [] {
    fail(ErrorKind::environment, "eval", "this build reads neither study shards nor checkpoints",
         "install libhdf5-openmpi-dev (scripts/setup.sh) and configure again");
  };
}

}  // namespace strata::app
