// SPDX-License-Identifier: Apache-2.0
#include "backends/reference/reference.hpp"

#include "backends/reference/register.hpp"
#include "strata/runtime/host_backend.hpp"

namespace strata {

std::shared_ptr<Backend> make_reference_backend() { return make_host_backend("reference", HostMemory::returned); }

KernelTable make_reference_table() {
  KernelTable table("reference");
  reference::register_attention(table);
  reference::register_concat(table);
  reference::register_copy(table);
  reference::register_cross_entropy(table);
  reference::register_sigmoid_cross_entropy(table);
  reference::register_dropout(table);
  reference::register_elementwise(table);
  reference::register_exp(table);
  reference::register_gather(table);
  reference::register_gelu(table);
  reference::register_l2_normalize(table);
  reference::register_layer_norm(table);
  reference::register_matmul(table);
  reference::register_patches(table);
  reference::register_reduce(table);
  reference::register_regroup(table);
  reference::register_resample(table);
  reference::register_rounding(table);
  reference::register_softmax(table);
  reference::register_step(table);
  return table;
}

}  // namespace strata
