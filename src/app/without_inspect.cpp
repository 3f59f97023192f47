// SPDX-License-Identifier: Apache-2.0
#include "app/command.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

Action add_inspect(CLI::App& parser) {
  parser.allow_extras();
  return [] {
    fail(ErrorKind::environment, "inspect", "this build cannot read study shards and checkpoints",
         "install MPI, parallel HDF5 and xxHash (scripts/setup.sh) and configure again");
  };
}

}  // namespace strata::app
