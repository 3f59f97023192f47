// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu.hpp"
#include "backends/cpu/kernels.hpp"

namespace strata {

KernelTable make_cpu_table() {
  KernelTable table("cpu");
  cpu::add_attention(table);
  cpu::add_concat(table);
  cpu::add_copy(table);
  cpu::add_cross_entropy(table);
  cpu::add_dropout(table);
  cpu::add_elementwise(table);
  cpu::add_exp(table);
  cpu::add_gather(table);
  cpu::add_gelu(table);
  cpu::add_l2_normalize(table);
  cpu::add_layer_norm(table);
  cpu::add_matmul(table);
  cpu::add_patches(table);
  cpu::add_reduce(table);
  cpu::add_regroup(table);
  cpu::add_resample(table);
  cpu::add_rounding(table);
  cpu::add_softmax(table);
  cpu::add_step(table);
  return table;
}

}  // namespace strata
