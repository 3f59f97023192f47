// SPDX-License-Identifier: Apache-2.0
#include "app/embed_set.hpp"
#include "strata/base/error.hpp"

namespace strata::app {

void embed_sets(const EmbedSetOptions&) {
  fail(ErrorKind::environment, "embed", "this build cannot read study shards",
       "install MPI, parallel HDF5 and xxHash (scripts/setup.sh) and configure again");
}

}  // namespace strata::app
