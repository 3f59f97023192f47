// SPDX-License-Identifier: Apache-2.0
#include "app/command.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

Action add_phantom(CLI::App& parser) {
  parser.allow_extras();
  return [] {
    fail(ErrorKind::environment, "phantom", "this build cannot write DICOM files",
         "install DCMTK, libpng and nifti2 (scripts/setup.sh) and configure again");
  };
}

}  // namespace strata::app
