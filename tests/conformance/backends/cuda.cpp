// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cuda.hpp"

#include "strata/runtime/backend.hpp"
#include "tests/conformance/backends.hpp"

namespace strata::conformance {

// Where there is a device. What its table lacks it cannot do: nothing stands behind it.
void add_cuda_backends(std::deque<TestBackend>& backends);
void add_cuda_backends(std::deque<TestBackend>& backends) {
  if (!cuda_devices().devices.empty()) backends.push_back({"cuda", make_cuda_backend(), make_cuda_table()});
}

}  // namespace strata::conformance
