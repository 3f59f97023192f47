// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/cuda.hpp"
#include "backends/cuda/register.hpp"

namespace strata {

KernelTable make_cuda_table() {
  KernelTable table("cuda");
  cuda::register_copy(table);
  cuda::register_elementwise(table);
  return table;
}

}  // namespace strata
