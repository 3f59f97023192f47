// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/backends.hpp"

#include "backends/reference/reference.hpp"

namespace strata::conformance {

std::deque<TestBackend> make_backends() {
  std::deque<TestBackend> backends;
  backends.push_back({"reference", make_reference_backend(), make_reference_table()});
  add_built_backends(backends);
  return backends;
}

}  // namespace strata::conformance
