// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cuda.hpp"

#include "backends/cuda/register.hpp"
#include "strata/runtime/backend.hpp"
#include "tests/conformance/backends.hpp"

namespace strata::conformance {

// Where there is a device. What its table lacks it cannot do: nothing stands behind it.
void add_cuda_backends(std::deque<TestBackend>& backends);
void add_cuda_backends(std::deque<TestBackend>& backends) {
  if (cuda_devices().devices.empty()) return;
  backends.push_back({"cuda", make_cuda_backend(), make_cuda_table()});
  KernelTable inexact("cuda");  // what CudaOptions::exact changes
  cuda::register_cudnn_attention(inexact);
  backends.push_back({"cuda inexact", make_cuda_backend({.exact = false}), inexact});
  backends.back().table.set_fallback(&backends[backends.size() - 2].table);
}

}  // namespace strata::conformance
