// SPDX-License-Identifier: Apache-2.0
//
// What each op file of this backend adds to the kernel table; called, in this order, by make_cpu_table.
#pragma once

#include "strata/runtime/kernel_table.hpp"

namespace strata::cpu {

void add_attention(KernelTable& table);
void add_concat(KernelTable& table);
void add_copy(KernelTable& table);
void add_cross_entropy(KernelTable& table);
void add_dropout(KernelTable& table);
void add_elementwise(KernelTable& table);
void add_exp(KernelTable& table);
void add_gather(KernelTable& table);
void add_gelu(KernelTable& table);
void add_l2_normalize(KernelTable& table);
void add_layer_norm(KernelTable& table);
void add_matmul(KernelTable& table);
void add_patches(KernelTable& table);
void add_reduce(KernelTable& table);
void add_regroup(KernelTable& table);
void add_resample(KernelTable& table);
void add_rounding(KernelTable& table);
void add_softmax(KernelTable& table);
void add_step(KernelTable& table);

// Of reduce.cpp, for products: the sums of x's columns. x dense [n, C], f32 or bf16; sums f32 [C].
void column_sums(const Tensor& x, const Tensor& sums, Context& ctx);

}  // namespace strata::cpu
