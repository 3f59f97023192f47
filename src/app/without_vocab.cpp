// SPDX-License-Identifier: Apache-2.0
#include "app/command.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

Action add_vocab(CLI::App& parser) {
  parser.allow_extras();
  return [] {
    fail(ErrorKind::environment, "vocab", "this build reads no tables of reports",
         "install libcsv-dev (scripts/setup.sh) and configure again");
  };
}

}  // namespace strata::app
