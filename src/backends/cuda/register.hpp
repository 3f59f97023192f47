// SPDX-License-Identifier: Apache-2.0
// One function an op file. A new op adds its line here and in table.cpp.
#pragma once

#include "strata/runtime/kernel_table.hpp"

namespace strata::cuda {

void register_attention(KernelTable& table);
void register_concat(KernelTable& table);
void register_copy(KernelTable& table);
void register_cross_entropy(KernelTable& table);
void register_cudnn_attention(KernelTable& table);
void register_dropout(KernelTable& table);
void register_elementwise(KernelTable& table);
void register_exp(KernelTable& table);
void register_gather(KernelTable& table);
void register_gelu(KernelTable& table);
void register_l2_normalize(KernelTable& table);
void register_layer_norm(KernelTable& table);
void register_matmul(KernelTable& table);
void register_patches(KernelTable& table);
void register_reduce(KernelTable& table);
void register_regroup(KernelTable& table);
void register_resample(KernelTable& table);
void register_rounding(KernelTable& table);
void register_sigmoid_cross_entropy(KernelTable& table);
void register_softmax(KernelTable& table);
void register_step(KernelTable& table);

}  // namespace strata::cuda
