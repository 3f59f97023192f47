// SPDX-License-Identifier: Apache-2.0
#include "app/command.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

Action add_ingest(CLI::App& parser) {
  parser.allow_extras();
  return [] {
    fail(ErrorKind::environment, "ingest",
         "this build reads no DICOM or writes no shards: DCMTK, OpenSSL or HDF5 was absent",
         "install what scripts/setup.sh lists and build again");
  };
}

}  // namespace strata::app
