// SPDX-License-Identifier: Apache-2.0
#include "app/command.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

Action add_view(CLI::App& parser) {
  parser.allow_extras();
  return [] {
    fail(ErrorKind::environment, "view", "this build lacks a reader or libpng",
         "install the libraries (scripts/setup.sh) and configure again; the configuration lists what was not found");
  };
}

}  // namespace strata::app
